"""What an update says of itself, and where it belongs.

The manifest stands in the update's own bytes, so a copy that is handed in by
another site, in another round, or on another chain convicts itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.errors import MalformedBlobError, VerificationError

UPDATE_FORMAT = "fednet-update/1"
STATE_FORMAT = "fednet-state/1"

STATE_METADATA: dict[str, object] = {"format": STATE_FORMAT}
"""A state's bytes say nothing of their place: equal models have equal commitments."""

_FIELDS = {
    "attempt": int,
    "base": str,
    "chain_id": int,
    "contract": str,
    "examples": int,
    "format": str,
    "round": int,
    "run": int,
    "salt": str,
    "site": int,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Name one attempt at one round of one run on one chain."""

    chain_id: int
    contract: Address
    """The rounds module that leads the run."""
    run: RunId
    round: RoundNumber
    attempt: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Bind an update to its author, its place and the model it started from."""

    place: Place
    site: SiteId
    base: Commitment
    """Commitment of the state that training started from."""
    examples: int
    """Weight of the update."""
    salt: Digest
    """Random, so that a commitment cannot be guessed from a guessed update."""

    def to_metadata(self) -> dict[str, object]:
        """Return the manifest as it stands in the update's bytes."""
        return {
            "attempt": self.place.attempt,
            "base": str(self.base),
            "chain_id": self.place.chain_id,
            "contract": self.place.contract,
            "examples": self.examples,
            "format": UPDATE_FORMAT,
            "round": self.place.round,
            "run": self.place.run,
            "salt": str(self.salt),
            "site": self.site,
        }

    @classmethod
    def from_metadata(cls, raw: dict[str, object], subject: str) -> Self:
        """Read a manifest out of an update's metadata.

        Raises:
            MalformedBlobError: A field is missing, extra, or of another type.
        """
        if raw.keys() != _FIELDS.keys() or raw.get("format") != UPDATE_FORMAT:
            raise MalformedBlobError("is not an update", subject=subject, expected=UPDATE_FORMAT)
        for name, kind in _FIELDS.items():
            if type(raw[name]) is not kind:
                raise MalformedBlobError(f"manifest field {name} has a wrong type", subject=subject)
        values: dict[str, int] = {k: v for k, v in raw.items() if isinstance(v, int)}
        texts: dict[str, str] = {k: v for k, v in raw.items() if isinstance(v, str)}
        if any(value < 0 or value >= 1 << 64 for value in values.values()):
            raise MalformedBlobError("manifest number is out of range", subject=subject)
        place = Place(
            chain_id=values["chain_id"],
            contract=Address(texts["contract"]),
            run=RunId(values["run"]),
            round=RoundNumber(values["round"]),
            attempt=values["attempt"],
        )
        try:
            base, salt = Commitment(texts["base"]), Digest(texts["salt"])
        except VerificationError as exc:
            raise MalformedBlobError("manifest digest is malformed", subject=subject) from exc
        return cls(place, SiteId(values["site"]), base, values["examples"], salt)
