"""Keys and digests that are bound to their place, so that none fits anywhere else.

Keys come from HKDF with SHA-256 (RFC 5869) without salt; what they are for stands
in its info as canonical JSON: the purpose, the chain, the contract, the run, the
round, the attempt, then whatever else names the use, such as the sites between
which a key lies and the digest of what both saw. Digests hash the same form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fednet.domain import canonical
from fednet.domain.identity import Digest
from fednet.domain.update import Place

KEY_SIZE_BYTES = 32
_FORM = "fednet-masking/1"

Part = int | str | Sequence["Part"]


class Purpose(StrEnum):
    """What a key or a digest is for."""

    MASK_KEY = "mask key"
    CHANNEL_KEY = "channel key"
    SELF_SEED = "self-mask seed"
    CHANNEL = "channel"
    PAIR_MASK = "pair mask"
    SELF_MASK = "self mask"
    POLYNOMIAL = "polynomial"
    NEIGHBOURS = "neighbours"
    CIRCLE = "circle"
    DEALERS = "dealers"
    FROZEN = "frozen"


def derive(secret: bytes, purpose: Purpose, place: Place, *parts: Part) -> bytes:
    """Return 32 bytes that depend on a secret and on all else that is named."""
    info = _text(purpose, place, parts)
    return HKDF(hashes.SHA256(), KEY_SIZE_BYTES, salt=None, info=info).derive(secret)


def digest_of(purpose: Purpose, place: Place, *parts: Part) -> Digest:
    """Return the SHA-256 of all that is named."""
    return Digest(hashlib.sha256(_text(purpose, place, parts)).digest())


def _text(purpose: Purpose, place: Place, parts: Sequence[Part]) -> bytes:
    where: list[Part] = [place.chain_id, place.contract, place.run, place.round, place.attempt]
    return canonical.encode([_FORM, purpose.value, *where, *parts])
