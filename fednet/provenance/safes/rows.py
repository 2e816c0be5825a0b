"""Acts in a run as frozen rows; see ``fednet.provenance.rows``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.identity import Address, Commitment, DatasetId, Digest, GrantId, SiteId
from fednet.domain.ledger import AccessStatus, Role, Standing

Act = TypeVar("Act")


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """An account other than a node's that got its roles."""

    account: Address
    site: SiteId
    """0 is the consortium."""
    roles: Role
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class StandingRow:
    """An application, an admission, or a change of standing."""

    site: SiteId
    standing: Standing
    roles: Role | None
    """Of an admission alone."""
    account: Address
    """Who did it: an operator, or the applicant's own account."""
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class NodeKeyRow:
    """A key that sealed blobs are wrapped for."""

    site: SiteId
    encryption_key: Digest
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """A rounds module that an operator approved or withdrew."""

    module: Address
    approved: bool
    operator: Address
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A consent to a run."""

    site: SiteId
    grant: GrantId
    maximum_examples: int
    expiry: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ConsentEndRow:
    """A consent to a run that ended."""

    site: SiteId
    grant: GrantId
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What was decided on a request for access."""

    grant: GrantId
    dataset: DatasetId
    status: AccessStatus
    terms: Commitment | None
    expiry: int | None
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ClosureRow:
    """A dataset that was closed."""

    dataset: DatasetId
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ReleaseCount:
    """How often a site's airlock decided so on a dataset's updates, and when it last did."""

    site: SiteId
    dataset: DatasetId
    status: ReleaseStatus
    many: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class LastSpending:
    """What a run has spent so far of a dataset's privacy."""

    site: SiteId
    dataset: DatasetId
    epsilon_micro: int
    delta_pico: int
    many: int
    """Records of the run about the dataset, this one among them."""
    block: int
    time: int
    transaction: Digest

    @property
    def spent(self) -> PrivacyLoss:
        """Return what the run has spent."""
        return PrivacyLoss(self.epsilon_micro, self.delta_pico)
