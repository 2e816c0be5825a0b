"""What the ledger of disclosures holds: releases, privacy budgets, readers of sealed blobs.

The twins of the structs in ``contracts/interfaces/IDisclosuresRecords.sol``. How a
mechanism's loss is computed is the business of ``fednet.privacy``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import IntEnum
from typing import Self

from fednet.domain.identity import DatasetId, Digest, ReaderId, RoundNumber, RunId, SiteId
from fednet.errors import LedgerError

_MICRO, _PICO = 6, 12
_MAXIMUM = (1 << 48) - 1


class ReleaseStatus(IntEnum):
    """Where the release of an update stands with the site's own airlock."""

    NONE = 0
    REQUESTED = 1
    APPROVED = 2
    REJECTED = 3
    EXPIRED = 4
    RETURNED = 5


@dataclass(frozen=True, slots=True)
class PrivacyLoss:
    """An epsilon and a delta of differential privacy, as the ledger counts them."""

    epsilon_micro: int
    """Epsilon, in millionths."""
    delta_pico: int
    """Delta, in millionths of a millionth."""

    @classmethod
    def of(cls, epsilon: Decimal, delta: Decimal) -> Self:
        """Round a loss up to what the ledger can count, so that it never says too little.

        Raises:
            LedgerError: One is negative, not finite, or beyond what the ledger holds.
        """
        return cls(_rounded_up("epsilon", epsilon, _MICRO), _rounded_up("delta", delta, _PICO))

    @property
    def epsilon(self) -> Decimal:
        """Return epsilon itself."""
        return Decimal(self.epsilon_micro).scaleb(-_MICRO)

    @property
    def delta(self) -> Decimal:
        """Return delta itself."""
        return Decimal(self.delta_pico).scaleb(-_PICO)

    def is_within(self, ceiling: PrivacyLoss) -> bool:
        """Tell whether neither number exceeds the ceiling's."""
        return self.epsilon_micro <= ceiling.epsilon_micro and self.delta_pico <= ceiling.delta_pico

    def __add__(self, other: PrivacyLoss) -> PrivacyLoss:
        """Compose two losses by adding them (Dwork and Roth 2014, theorem 3.16)."""
        return PrivacyLoss(
            self.epsilon_micro + other.epsilon_micro, self.delta_pico + other.delta_pico
        )

    def __sub__(self, other: PrivacyLoss) -> PrivacyLoss:
        """Return what was lost beyond another loss."""
        return PrivacyLoss(
            self.epsilon_micro - other.epsilon_micro, self.delta_pico - other.delta_pico
        )

    def __str__(self) -> str:
        return f"epsilon {self.epsilon.normalize():f}, delta {self.delta.normalize():f}"


NO_LOSS = PrivacyLoss(0, 0)


@dataclass(frozen=True, slots=True)
class DatasetBudget:
    """A dataset's privacy budget over all its runs, and how long what was made of it is kept."""

    dataset: DatasetId
    site: SiteId
    """0 until anything is recorded of the dataset."""
    epsilon_ceiling: int
    """In millionths, like the spent one."""
    delta_ceiling: int
    """In millionths of a millionth, like the spent one."""
    epsilon_spent: int
    delta_spent: int
    retention_seconds: int
    """From the end of a run; 0 if no period was set."""

    @property
    def ceiling(self) -> PrivacyLoss:
        """Return what may be spent; nothing if the site never said."""
        return PrivacyLoss(self.epsilon_ceiling, self.delta_ceiling)

    @property
    def spent(self) -> PrivacyLoss:
        """Return what is spent, over all runs."""
        return PrivacyLoss(self.epsilon_spent, self.delta_spent)


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """What a run made of a dataset."""

    run: RunId
    dataset: DatasetId
    round: RoundNumber
    """Of the last request for release; 0 if none."""
    attempt: int
    status: ReleaseStatus
    """Where the last request for release stands."""
    spent_round: RoundNumber
    """Of the last spending; 0 if none."""
    epsilon_spent: int
    delta_spent: int

    @property
    def spent(self) -> PrivacyLoss:
        """Return what is spent in the run."""
        return PrivacyLoss(self.epsilon_spent, self.delta_spent)


@dataclass(frozen=True, slots=True)
class BlobReader:
    """Somebody with the right to read a run's sealed blobs."""

    reader: ReaderId
    run: RunId
    site: SiteId
    """Site that admitted it; 0 is the consortium's operator."""
    admitted: bool
    """Whether the right still stands."""


@dataclass(frozen=True, slots=True)
class DisclosureLog:
    """What the contract holds of all its records together."""

    running_hash: Digest
    records: int


def _rounded_up(name: str, value: Decimal, places: int) -> int:
    most = Decimal(_MAXIMUM).scaleb(-places)
    if not value.is_finite() or not 0 <= value <= most:
        raise LedgerError(
            "a privacy loss cannot be counted",
            subject=name,
            expected=f"from 0 to {most}",
            actual=str(value)[:40],
        )
    return int(value.quantize(Decimal(1).scaleb(-places), ROUND_CEILING).scaleb(places))
