"""Plans and round records for a page: read from blobs that hash to what the ledger says."""

from __future__ import annotations

from typing import Protocol

from fednet.domain.identity import Commitment, Locator
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import FednetError

Facts = list[tuple[str, list[tuple[str, object]]]]


class SmallBlobs(Protocol):
    """Serve small blobs without making a page wait."""

    def get(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> bytes | None:
        """Return a blob's verified bytes, or None if they are not at hand."""
        ...


def plan(blobs: SmallBlobs, commitment: Commitment, locator: Locator) -> Plan | None:
    """Read a plan; None if nobody serves it now, or what is served is none."""
    data = blobs.get(commitment, locator, MAX_PLAN_SIZE_BYTES)
    try:
        return Plan.from_bytes(data) if data is not None else None
    except FednetError:
        return None


def record(blobs: SmallBlobs, commitment: Commitment, locator: Locator) -> RoundRecord | None:
    """Read a round record; None if nobody serves it now, or what is served is none."""
    data = blobs.get(commitment, locator, MAX_RECORD_SIZE_BYTES)
    try:
        return RoundRecord.from_bytes(data, "record") if data is not None else None
    except FednetError:
        return None


def veil(found: Plan | None) -> str:
    """Name what hides a run's updates from whoever fetches them: a word, empty if nothing does."""
    if found is None:
        return ""
    if found.privacy.sealed:
        return "sealed"
    return "masked" if found.is_masked else "encrypted" if found.is_encrypted else ""


def facts(found: Plan) -> Facts:
    """Lay a plan out as it was written: sections of named values."""
    raw = found.model_dump()
    top: list[tuple[str, object]] = [
        (name, value) for name, value in raw.items() if not isinstance(value, dict)
    ]
    parts = [(name, list(value.items())) for name, value in raw.items() if isinstance(value, dict)]
    return [("plan", top), *parts]
