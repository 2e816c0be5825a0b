"""What the batched rounds module says besides the events of every module; see ``domain.events``."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.events import RunEvent
from fednet.domain.identity import Commitment, Locator, RoundNumber, SiteId


@dataclass(frozen=True, slots=True)
class UpdatesBatched(RunEvent):
    """A member handed in the updates of many sites; see ``domain.batches``."""

    round: RoundNumber
    site: SiteId
    attempt: int
    sheet: Commitment
    sheet_locator: Locator
    positions: tuple[int, ...]
    rows: bytes


@dataclass(frozen=True, slots=True)
class CommitteeDrawn(RunEvent):
    """The first vote on a proposal drew who votes before it is final."""

    round: RoundNumber
    attempt: int
    proposal: int
    seed_block: int
    size: int
    members: int


@dataclass(frozen=True, slots=True)
class AttestationsBatched(RunEvent):
    """An account carried signed attestations of many sites."""

    round: RoundNumber
    attempt: int
    proposal: int
    rows: bytes
