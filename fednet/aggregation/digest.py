"""The digest that only somebody who held the bytes can know; see ``record.witness``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from fednet.aggregation.output import Hash, hash_file
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Digest


class RunningDigest(Hash, Protocol):
    """A hashlib object that has taken in the updates."""

    def digest(self) -> bytes:
        """Return the hash so far."""
        ...


def recomputation_digest(updates: Iterable[BlobFile], state: BlobFile) -> Digest:
    """Hash every included update's complete bytes, by site, and then the next state's.

    Args:
        updates: Files of the included updates in ascending order of site.
        state: File of the next state.
    """
    return end_digest(begin_digest(updates), state)


def begin_digest(updates: Iterable[BlobFile]) -> RunningDigest:
    """Hash the included updates, which can be done before the next state is known."""
    digest = hashlib.sha256()
    for path in updates:
        hash_file(digest, path)
    return digest


def end_digest(digest: RunningDigest, state: BlobFile) -> Digest:
    """Hash the next state's file after the updates."""
    hash_file(digest, state)
    return Digest(digest.digest())
