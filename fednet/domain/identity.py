"""Names of things: commitments, locators and the ids the ledger gives out.

A commitment is the SHA-256 of a blob's complete bytes (FIPS 180-4), so that an
auditor can check it with ``sha256sum``. A locator is the 32-byte SHA-256
multihash digest of a CIDv0, which names a blob on IPFS, or the list of its
pieces if it is too large for one object.
"""

from __future__ import annotations

import hashlib
from typing import NewType, Self

from fednet.errors import DigestMismatchError, VerificationError

RunId = NewType("RunId", int)
"""Counted from 1 by the Runs contract."""
SiteId = NewType("SiteId", int)
"""Counted from 1 by the SiteRegistry; 0 is nobody."""
DatasetId = NewType("DatasetId", int)
GrantId = NewType("GrantId", int)
"""An access request keeps its number when it is granted."""
ReaderId = NewType("ReaderId", int)
"""Counted from 1 by the Disclosures contract: somebody who may read a run's sealed blobs."""
RoundNumber = NewType("RoundNumber", int)
"""Counted from 1; 0 names the initial model."""
Address = NewType("Address", str)
"""An Ethereum account or contract, with the check sum of EIP-55."""

DIGEST_SIZE_BYTES = 32


class Digest(bytes):
    """Hold exactly 32 bytes; prints as lower-case hexadecimal."""

    def __new__(cls, value: bytes | str) -> Self:
        raw = _from_hex(value) if isinstance(value, str) else bytes(value)
        if len(raw) != DIGEST_SIZE_BYTES:
            raise VerificationError(
                "not a digest", expected=f"{DIGEST_SIZE_BYTES} bytes", actual=f"{len(raw)} bytes"
            )
        return super().__new__(cls, raw)

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()!r})"

    @property
    def is_zero(self) -> bool:
        """Tell whether every byte is zero, which the ledger reads as nothing."""
        return not any(self)


class Commitment(Digest):
    """Commit to a blob: the SHA-256 of its complete bytes."""

    @classmethod
    def of(cls, *parts: bytes | memoryview) -> Self:
        """Hash the concatenation of the parts."""
        state = hashlib.sha256()
        for part in parts:
            state.update(part)
        return cls(state.digest())

    def verify(self, data: bytes | memoryview, subject: str) -> None:
        """Raise unless the bytes hash to this commitment.

        Raises:
            DigestMismatchError: They hash to something else.
        """
        actual = Commitment.of(data)
        if actual != self:
            raise DigestMismatchError(
                "bytes do not match their commitment", subject=subject, expected=self, actual=actual
            )


class Locator(Digest):
    """Name a blob on IPFS, or its piece list: the digest inside a CIDv0 (without 0x1220)."""


ZERO_DIGEST = Digest(bytes(DIGEST_SIZE_BYTES))
CONSORTIUM = SiteId(0)
"""The site id of the consortium itself, whose accounts are operators."""


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise VerificationError("not hexadecimal", actual=repr(text[:80])) from None
