"""What the index tells of masked rounds, as frozen rows; see ``fednet.provenance.rows``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fednet.domain.identity import Digest, RoundNumber, RunId, SiteId


class MaskAct(IntEnum):
    """What was recorded of an attempt's masks."""

    ADVERTISED = 1
    DEALT = 2
    HELD = 3
    PROPOSED = 4
    AFFIRMED = 5
    FROZEN = 6
    DISCLOSED = 7


@dataclass(frozen=True, slots=True)
class MaskActRow:
    """One record of an attempt's masks."""

    run: RunId
    round: RoundNumber
    attempt: int
    act: MaskAct
    site: SiteId | None
    """None where a set was frozen: that is nobody's own act."""
    number: int | None
    """Of the set that was proposed, affirmed or frozen."""
    inclusion: bytes | None
    """Of the set that was proposed."""
    block: int
    time: int
    transaction: Digest
