"""What the index tells of disclosures, as frozen rows; see ``fednet.provenance.rows``."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    Locator,
    ReaderId,
    RoundNumber,
    RunId,
    SiteId,
)


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """An update that waited for its site's airlock, and what was decided."""

    run: RunId
    round: RoundNumber
    attempt: int
    site: SiteId
    dataset: DatasetId
    status: ReleaseStatus
    request: Commitment
    reason: Commitment | None
    decided_time: int | None
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """What a run had spent of a dataset's privacy up to a round."""

    run: RunId
    round: RoundNumber
    site: SiteId
    dataset: DatasetId
    epsilon_micro: int
    delta_pico: int
    block: int
    time: int
    transaction: Digest

    @property
    def spent(self) -> PrivacyLoss:
        """Return what the run had spent."""
        return PrivacyLoss(self.epsilon_micro, self.delta_pico)


@dataclass(frozen=True, slots=True)
class CeilingRow:
    """A ceiling that a site set for a dataset, over all runs."""

    dataset: DatasetId
    site: SiteId
    epsilon_micro: int
    delta_pico: int
    grounds: Digest
    """Zero where it was lowered without a word."""
    block: int
    time: int
    transaction: Digest

    @property
    def ceiling(self) -> PrivacyLoss:
        """Return the ceiling."""
        return PrivacyLoss(self.epsilon_micro, self.delta_pico)


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A dataset's privacy budget as it stands at the index's head."""

    dataset: DatasetId
    epsilon_ceiling_micro: int
    delta_ceiling_pico: int
    epsilon_spent_micro: int
    delta_spent_pico: int
    retention_seconds: int
    """0 if no period was set."""

    @property
    def ceiling(self) -> PrivacyLoss:
        """Return what may be spent over all runs; nothing if the site never said."""
        return PrivacyLoss(self.epsilon_ceiling_micro, self.delta_ceiling_pico)

    @property
    def spent(self) -> PrivacyLoss:
        """Return what all runs spent."""
        return PrivacyLoss(self.epsilon_spent_micro, self.delta_spent_pico)


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """Somebody who may or might read a run's sealed blobs."""

    reader: ReaderId
    run: RunId
    site: SiteId
    """Site that admitted it; 0 is the consortium's operator."""
    account: Address
    key: Digest
    letter: Commitment
    letter_locator: Locator
    dismissed_time: int | None
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """Blobs of a run that were erased with a closed dataset."""

    run: RunId
    site: SiteId
    dataset: DatasetId
    blobs: int
    list: Commitment
    grounds: Commitment
    block: int
    time: int
    transaction: Digest
