"""Everything the contracts say, as frozen values named like the Solidity events.

Fields are the events' arguments in snake case and in their order (a parity
test compares names and types with the compiled contracts), preceded by
``log``: where the event stands and the raw bytes that the running hash covers.
"""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Role, Standing


@dataclass(frozen=True, slots=True, order=True)
class Log:
    """Where an event stands on the chain, and its raw form."""

    block: int
    index: int
    """Position among the logs of its block."""
    transaction: Digest
    contract: Address
    topics: tuple[bytes, ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """Base of every event."""

    log: Log


@dataclass(frozen=True, slots=True)
class RunEvent(LedgerEvent):
    """Base of a rounds module's events, which extend the run's running hash."""

    run: RunId


# SiteRegistry


@dataclass(frozen=True, slots=True)
class SiteApplied(LedgerEvent):
    """An institution applied."""

    site: SiteId
    account: Address
    name: str
    metadata: Commitment
    encryption_key: Digest
    store_address: str


@dataclass(frozen=True, slots=True)
class SiteAdmitted(LedgerEvent):
    """The operator admitted a site and gave its account gas, in wei."""

    site: SiteId
    operator: Address
    roles: Role
    allowance: int


@dataclass(frozen=True, slots=True)
class SiteStandingChanged(LedgerEvent):
    """A site's standing changed after admission."""

    site: SiteId
    operator: Address
    standing: Standing


@dataclass(frozen=True, slots=True)
class SiteAccountRotated(LedgerEvent):
    """The account of a site's node was replaced."""

    site: SiteId
    account: Address
    account_version: int


@dataclass(frozen=True, slots=True)
class SiteKeyRotated(LedgerEvent):
    """The encryption key of a site was replaced."""

    site: SiteId
    encryption_key: Digest
    key_version: int


@dataclass(frozen=True, slots=True)
class SiteStoreMoved(LedgerEvent):
    """A site's store is to be dialled elsewhere."""

    site: SiteId
    store_address: str


@dataclass(frozen=True, slots=True)
class AccountRolesChanged(LedgerEvent):
    """An account other than the node's got its roles."""

    account: Address
    site: SiteId
    roles: Role


# DataAccess


@dataclass(frozen=True, slots=True)
class DatasetRegistered(LedgerEvent):
    """A site registered a dataset."""

    dataset: DatasetId
    site: SiteId
    description: Commitment
    data: Commitment
    examples: int


@dataclass(frozen=True, slots=True)
class DatasetClosed(LedgerEvent):
    """A site closed a dataset."""

    dataset: DatasetId
    site: SiteId


@dataclass(frozen=True, slots=True)
class AccessRequested(LedgerEvent):
    """A researcher asked for access for a purpose."""

    grant: GrantId
    dataset: DatasetId
    researcher: Address
    purpose: Commitment
    purpose_locator: Locator


@dataclass(frozen=True, slots=True)
class AccessGranted(LedgerEvent):
    """A site granted access under terms until the expiry."""

    grant: GrantId
    dataset: DatasetId
    site: SiteId
    terms: Commitment
    terms_locator: Locator
    expiry: int


@dataclass(frozen=True, slots=True)
class AccessDenied(LedgerEvent):
    """A site denied access."""

    grant: GrantId
    dataset: DatasetId
    site: SiteId
    reason: Digest


@dataclass(frozen=True, slots=True)
class AccessRevoked(LedgerEvent):
    """A site revoked a grant."""

    grant: GrantId
    dataset: DatasetId
    site: SiteId


# Runs


@dataclass(frozen=True, slots=True)
class ModuleApproved(LedgerEvent):
    """The operator approved a rounds module for new runs."""

    module: Address
    operator: Address


@dataclass(frozen=True, slots=True)
class ModuleWithdrawn(LedgerEvent):
    """The operator withdrew a rounds module from new runs."""

    module: Address
    operator: Address


@dataclass(frozen=True, slots=True)
class RunOpened(LedgerEvent):
    """A researcher opened a run."""

    run: RunId
    researcher: Address
    module: Address
    plan: Commitment
    plan_locator: Locator
    initial_model: Commitment
    initial_model_locator: Locator
    transferable: bool
    parameters: bytes


@dataclass(frozen=True, slots=True)
class LocatorAnnounced(LedgerEvent):
    """A member says that a blob can also be found under another locator."""

    commitment: Commitment
    site: SiteId
    locator: Locator


# Rounds


@dataclass(frozen=True, slots=True)
class ConsentGiven(RunEvent):
    """A site consented under a grant."""

    site: SiteId
    grant: GrantId
    position: int
    maximum_examples: int
    expiry: int


@dataclass(frozen=True, slots=True)
class ConsentEnded(RunEvent):
    """A site's consent ended."""

    site: SiteId
    grant: GrantId


@dataclass(frozen=True, slots=True)
class AttemptStarted(RunEvent):
    """An attempt at a round began with a frozen cohort."""

    round: RoundNumber
    attempt: int
    cohort: int
    roster_length: int
    quorum: int
    deadline: int


@dataclass(frozen=True, slots=True)
class UpdateSubmitted(RunEvent):
    """A site promised the bytes of its update."""

    round: RoundNumber
    site: SiteId
    attempt: int
    stage: int
    commitment: Commitment
    weight: int
    locator: Locator


@dataclass(frozen=True, slots=True)
class SubmissionsClosed(RunEvent):
    """A stage of submissions closed before; logged by the next act that moves the run."""

    round: RoundNumber
    attempt: int
    submitted: int
    deadline: int


@dataclass(frozen=True, slots=True)
class RoundProposed(RunEvent):
    """An aggregator proposed a round record."""

    round: RoundNumber
    site: SiteId
    attempt: int
    proposal: int
    credits_total: int
    record: Commitment
    record_locator: Locator
    state: Commitment
    credits_root: Digest
    deadline: int
    inclusion: bytes


@dataclass(frozen=True, slots=True)
class RoundAttested(RunEvent):
    """A member recomputed a proposal and vouches for it."""

    round: RoundNumber
    site: SiteId
    attempt: int
    proposal: int
    witness: Digest


@dataclass(frozen=True, slots=True)
class RoundObjected(RunEvent):
    """A member recomputed a proposal and got another record."""

    round: RoundNumber
    site: SiteId
    attempt: int
    proposal: int
    expected: Commitment


@dataclass(frozen=True, slots=True)
class ProposalEnded(RunEvent):
    """A proposal ended without quorum."""

    round: RoundNumber
    attempt: int
    proposal: int
    deadline: int


@dataclass(frozen=True, slots=True)
class RoundFinalized(RunEvent):
    """A round became final."""

    round: RoundNumber
    attempt: int
    proposal: int


@dataclass(frozen=True, slots=True)
class SampleDrawn(RunEvent):
    """The sample of an attempt was drawn or, with no seed, its draw was put off."""

    round: RoundNumber
    attempt: int
    source: int
    seed: int


@dataclass(frozen=True, slots=True)
class RunConcluding(RunEvent):
    """A member voted to end the run with a final round."""

    round: RoundNumber
    site: SiteId


@dataclass(frozen=True, slots=True)
class RunCompleted(RunEvent):
    """Every round of the plan is final, or a quorum ended the run with an earlier one."""

    rounds: int


@dataclass(frozen=True, slots=True)
class RunAborted(RunEvent):
    """A run ended early."""

    round: RoundNumber
    account: Address


# Credits


@dataclass(frozen=True, slots=True)
class CreditsClaimed(LedgerEvent):
    """A site claimed all its credits up to a round."""

    run: RunId
    round_number: RoundNumber
    site: SiteId
    amount: int
    claimed: int


@dataclass(frozen=True, slots=True)
class CreditsTransferred(LedgerEvent):
    """A site gave credits to another."""

    run: RunId
    from_site: SiteId
    to_site: SiteId
    amount: int
