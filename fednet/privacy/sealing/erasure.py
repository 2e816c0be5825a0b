"""That the keys of a blob were destroyed: when, and on what grounds.

The grounds are a document that stays where it is, a withdrawal for example;
only its commitment is told. No name and no text of a person is in a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from fednet.domain import canonical
from fednet.domain.identity import Commitment
from fednet.errors import ErasedError, MalformedBlobError, VerificationError

ERASURE_FORMAT = "fednet-erasure/1"
SIZE_CAP_BYTES = 1_024

_FIELDS = {"commitment": str, "erased_at": int, "format": str, "grounds": str}
_LATEST_SECONDS = 1 << 40


@dataclass(frozen=True, slots=True)
class Erasure:
    """Say of one sealed blob that its keys were destroyed."""

    commitment: Commitment
    """Of the sealed bytes, as on the ledger."""
    grounds: Commitment
    """Of the document that asks for it; salt the document if it could be guessed."""
    erased_at: int
    """Unix time in seconds."""

    def to_bytes(self) -> bytes:
        """Write the canonical bytes."""
        return canonical.encode(
            {
                "commitment": str(self.commitment),
                "erased_at": self.erased_at,
                "format": ERASURE_FORMAT,
                "grounds": str(self.grounds),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read a record.

        Raises:
            MalformedBlobError: Not the canonical form of one.
        """
        if len(data) > SIZE_CAP_BYTES:
            raise MalformedBlobError("is too large for an erasure", subject=subject)
        raw = canonical.decode_object(data, subject)
        if raw.keys() != _FIELDS.keys() or raw["format"] != ERASURE_FORMAT:
            raise MalformedBlobError("is no erasure", subject=subject, expected=ERASURE_FORMAT)
        erased_at = raw["erased_at"]
        if type(erased_at) is not int or not 0 <= erased_at < _LATEST_SECONDS:
            raise MalformedBlobError("has no time of erasure", subject=subject)
        found = cls(
            _digest(raw["commitment"], subject), _digest(raw["grounds"], subject), erased_at
        )
        if found.to_bytes() != data:
            raise MalformedBlobError("digests are not in canonical form", subject=subject)
        return found

    def error(self, subject: str) -> ErasedError:
        """Return what opening the blob raises from now on."""
        return ErasedError(
            "its keys were destroyed",
            commitment=self.commitment,
            grounds=self.grounds,
            erased_at=self.erased_at,
            subject=subject,
            hint=f"it cannot be read any more; the grounds are committed to as {self.grounds}",
        )


def _digest(text: object, subject: str) -> Commitment:
    try:
        return Commitment(str(text))
    except VerificationError as exc:
        raise MalformedBlobError("holds a malformed digest", subject=subject) from exc
