"""What the ledger is to learn of an airlock: that it asked and what was decided, never what about.

A record names its place and commits to a report that stays at the site; the
report holds a random salt, so that nobody can guess it from its commitment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fednet.domain.identity import ZERO_DIGEST, Commitment, DatasetId, Digest, RoundNumber, RunId


class AirlockStep(StrEnum):
    """What became of an update at its site's airlock."""

    REQUESTED = "requested"
    """It was put to the airlock."""
    APPROVED = "approved"
    """It may leave, by the policy or by a person's decision."""
    REJECTED = "rejected"
    """It stays, by the policy or by a person's decision; the round goes on without it."""
    EXPIRED = "expired"
    """Nobody decided in time, or the round went on; it stays."""
    RETURNED = "returned"
    """A person sent it back; it stays, and another may be asked for in the same attempt."""


@dataclass(frozen=True, slots=True)
class AirlockRecord:
    """One step of one update, as it may stand on the ledger."""

    step: AirlockStep
    run: RunId
    round: RoundNumber
    attempt: int
    dataset: DatasetId
    report: Commitment
    """Of the report, salt included."""
    reason: Digest = ZERO_DIGEST
    """Commitment of a person's answer, salt included; zero if none was given."""

    @property
    def grounds(self) -> Commitment:
        """Commit to what was decided by: a person's answer, else the report with its checks."""
        return self.report if self.reason.is_zero else Commitment(self.reason)


class AirlockLedger(Protocol):
    """Put what an airlock did on the record."""

    def record(self, record: AirlockRecord) -> None:
        """Record one step; to record it again changes nothing.

        Raises:
            LedgerError: It could not be recorded now.
        """
        ...
