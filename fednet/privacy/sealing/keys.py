"""The key of one blob, and what is derived from it.

All derivation is HKDF with SHA-256 (RFC 5869). A content key is uniformly
random, so that it serves as the pseudorandom key and only the second half,
HKDF-Expand, is needed; keys that are combined go through both halves.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from fednet.domain.identity import Commitment
from fednet.privacy.sealing.place import BlobPlace

KEY_SIZE_BYTES = 32


@dataclass(frozen=True, slots=True)
class ContentKey:
    """Open one blob in one place; never printed.

    Raises:
        ValueError: It has another size.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_SIZE_BYTES:
            raise ValueError(f"a content key has {KEY_SIZE_BYTES} bytes, not {len(self.secret)}")

    @classmethod
    def generate(cls) -> Self:
        """Draw a fresh key from the system's randomness."""
        return cls(os.urandom(KEY_SIZE_BYTES))

    @classmethod
    def combine(cls, keys: Iterable[ContentKey], place: BlobPlace) -> Self:
        """Derive the key of what all members make alike from the keys of what it is made of.

        Whoever can open all the parts, and nobody else, gets it without a message.

        Args:
            keys: Those of the included updates, in ascending order of site; at least one.
            place: Where the result belongs.

        Raises:
            ValueError: There is no key, from which everybody could derive the same.
        """
        parts = b"".join(key.secret for key in keys)
        if not parts:
            raise ValueError("no key to combine")
        return cls(HKDF(SHA256(), KEY_SIZE_BYTES, None, place.bind("combined")).derive(parts))

    def expand(self, info: bytes) -> bytes:
        """Derive 32 bytes for the purpose that ``info`` names."""
        return HKDFExpand(SHA256(), KEY_SIZE_BYTES, info).derive(self.secret)

    def salt(self, content: Commitment, place: BlobPlace) -> bytes:
        """Return the salt of a content: another one for any other content or place."""
        return hmac.digest(self.expand(place.bind("salt")), content, "sha256")

    def stream_key(self, salt: bytes, place: BlobPlace) -> bytes:
        """Derive the key that the chunks of one content are encrypted under."""
        return self.expand(place.bind("stream", salt.hex()))
