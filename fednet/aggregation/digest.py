"""The digest that only somebody who held the bytes can know; see ``record.witness``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fednet.aggregation.output import hash_file
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Digest


def recomputation_digest(updates: Iterable[BlobFile], state: BlobFile) -> Digest:
    """Hash every included update's complete bytes, by site, and then the next state's.

    Args:
        updates: Files of the included updates in ascending order of site.
        state: File of the next state.
    """
    digest = hashlib.sha256()
    for path in updates:
        hash_file(digest, path)
    hash_file(digest, state)
    return Digest(digest.digest())
