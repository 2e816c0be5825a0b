"""What the ledger of disclosures says; see ``fednet.domain.events``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.events import LedgerEvent
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
class ReleaseRequested(LedgerEvent):
    """A site asked its airlock for the release of an update."""

    run: RunId
    round: RoundNumber
    site: SiteId
    dataset: DatasetId
    attempt: int
    request: Commitment


@dataclass(frozen=True, slots=True)
class ReleaseDecided(LedgerEvent):
    """A site decided on the release of an update."""

    run: RunId
    round: RoundNumber
    site: SiteId
    dataset: DatasetId
    attempt: int
    decision: ReleaseStatus
    reason: Commitment


@dataclass(frozen=True, slots=True)
class CeilingSet(LedgerEvent):
    """A site set what may be spent of a dataset's privacy over all runs."""

    dataset: DatasetId
    site: SiteId
    epsilon_micro: int
    delta_pico: int
    grounds: Digest

    @property
    def ceiling(self) -> PrivacyLoss:
        """Return the ceiling."""
        return PrivacyLoss(self.epsilon_micro, self.delta_pico)


@dataclass(frozen=True, slots=True)
class BudgetSpent(LedgerEvent):
    """A site recorded what a run has spent of a dataset's privacy so far."""

    run: RunId
    round: RoundNumber
    site: SiteId
    dataset: DatasetId
    epsilon_micro: int
    delta_pico: int

    @property
    def spent(self) -> PrivacyLoss:
        """Return what the run has spent so far."""
        return PrivacyLoss(self.epsilon_micro, self.delta_pico)


@dataclass(frozen=True, slots=True)
class RetentionSet(LedgerEvent):
    """A site said how long blobs made from a dataset are kept."""

    dataset: DatasetId
    site: SiteId
    retention_seconds: int


@dataclass(frozen=True, slots=True)
class ReaderAdmitted(LedgerEvent):
    """A site or the operator gave an account the right to read a run's sealed blobs."""

    run: RunId
    site: SiteId
    account: Address
    reader: ReaderId
    key: Digest
    letter: Commitment
    letter_locator: Locator


@dataclass(frozen=True, slots=True)
class ReaderDismissed(LedgerEvent):
    """A right to read ended."""

    run: RunId
    site: SiteId
    reader: ReaderId


@dataclass(frozen=True, slots=True)
class BlobsErased(LedgerEvent):
    """A site erased blobs of a run that were made from a closed dataset."""

    run: RunId
    site: SiteId
    dataset: DatasetId
    blobs: int
    list: Commitment
    grounds: Commitment


Disclosure: TypeAlias = (
    ReleaseRequested
    | ReleaseDecided
    | CeilingSet
    | BudgetSpent
    | RetentionSet
    | ReaderAdmitted
    | ReaderDismissed
    | BlobsErased
)
DISCLOSURES: tuple[type[Disclosure], ...] = (
    ReleaseRequested,
    ReleaseDecided,
    CeilingSet,
    BudgetSpent,
    RetentionSet,
    ReaderAdmitted,
    ReaderDismissed,
    BlobsErased,
)
"""Every class of record, which the running hash covers all together."""
