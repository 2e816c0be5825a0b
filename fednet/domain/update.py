"""What an update says of itself, and where it belongs.

The manifest stands in the update's own bytes, so a copy that is handed in by
another site, in another round, or on another chain convicts itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from fednet.domain import canonical
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.tensors import FloatArray, Layout
from fednet.errors import MalformedBlobError, VerificationError

UPDATE_FORMAT = "fednet-update/1"
STATE_FORMAT = "fednet-state/1"

STATE_METADATA: dict[str, object] = {"format": STATE_FORMAT}
"""A state's bytes say nothing of their place: equal models have equal commitments."""

MOST_METRICS = 16
_METRIC_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_DIGITS = 40

_FIELDS = {
    "attempt": int,
    "base": str,
    "chain_id": int,
    "contract": str,
    "evaluated": int,
    "examples": int,
    "format": str,
    "metrics": dict,
    "round": int,
    "run": int,
    "salt": str,
    "site": int,
    "steps": int,
}


class UpdateFile(Protocol):
    """An update's bytes, opened: its manifest, and its values as one flat float32 vector."""

    @property
    def layout(self) -> Layout:
        """Return what its tensors are."""
        ...

    @property
    def metadata(self) -> Mapping[str, object]:
        """Return the manifest as it stands in the bytes, unchecked."""
        ...

    @property
    def element_count(self) -> int:
        """Count the elements of the flat vector."""
        ...

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on; from any thread.

        Raises:
            MalformedBlobError: The bytes there say nothing that could be read.
        """
        ...

    def close(self) -> None:
        """Let go of the file; a later read opens it again for as long as it lasts."""
        ...

    def __enter__(self) -> Self:
        """Keep it open."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        ...


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
    steps: int = 0
    """Optimiser steps that were taken."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """What the base model reaches on this site's data, as decimal text, if the plan asks for it."""
    evaluated: int = 0
    """Examples that the metrics rest on."""

    def to_metadata(self) -> dict[str, object]:
        """Return the manifest as it stands in the update's bytes."""
        return {
            "attempt": self.place.attempt,
            "base": str(self.base),
            "chain_id": self.place.chain_id,
            "contract": self.place.contract,
            "evaluated": self.evaluated,
            "examples": self.examples,
            "format": UPDATE_FORMAT,
            "metrics": dict(self.metrics),
            "round": self.place.round,
            "run": self.place.run,
            "salt": str(self.salt),
            "site": self.site,
            "steps": self.steps,
        }

    @classmethod
    def from_metadata(cls, raw: Mapping[str, object], subject: str) -> Self:
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
        return cls(
            place,
            SiteId(values["site"]),
            base,
            values["examples"],
            salt,
            values["steps"],
            _read_metrics(raw["metrics"], subject),
            values["evaluated"],
        )


def _read_metrics(raw: object, subject: str) -> dict[str, str]:
    metrics: dict[str, str] = {}
    for name, text in raw.items() if isinstance(raw, dict) else ():
        if not isinstance(text, str) or not _is_decimal(text) or not _METRIC_NAME.fullmatch(name):
            raise MalformedBlobError("manifest metric is malformed", subject=subject)
        metrics[name] = text
    if len(metrics) > MOST_METRICS:
        raise MalformedBlobError("manifest holds too many metrics", subject=subject)
    return metrics


def _is_decimal(text: str) -> bool:
    try:
        return len(text) <= _MOST_DIGITS and canonical.decimal_text(text) == text
    except ValueError:
        return False
