"""What the index tells, as frozen rows.

Every row that stands for an event ends with where it stands: block, the
block's time in seconds since 1970, and the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fednet.domain.events import LedgerEvent
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
from fednet.domain.ledger import AccessStatus, Head, Role, Standing


@dataclass(frozen=True, slots=True)
class IndexedBlock:
    """A block's header and its events, in order."""

    head: Head
    events: Sequence[LedgerEvent]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    head: Head
    added: int
    """Events read."""
    removed: int
    """Events of blocks that the chain no longer has."""
    rebuilt: str = ""
    """Why everything was read again; empty if it was not."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and how far it is."""

    run: RunId
    researcher: Address
    module: Address
    plan: Commitment
    plan_locator: Locator
    initial_model: Commitment
    initial_model_locator: Locator
    transferable: bool
    status: str
    """gathering, running, completed or aborted."""
    started_rounds: int
    final_rounds: int
    sites: int
    """Sites that ever consented."""
    updates: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round: its attempt and proposal that became final, else the latest."""

    run: RunId
    round: RoundNumber
    status: str
    """final, aborted or open."""
    attempt: int
    cohort: int
    quorum: int
    submitted: int
    proposal: int | None
    proposer: SiteId | None
    attested: int
    objected: int
    state: Commitment | None
    record: Commitment | None
    record_locator: Locator | None
    credits_total: int | None
    final_time: int | None
    """When it became final."""
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """A submission and what became of it."""

    run: RunId
    round: RoundNumber
    attempt: int
    stage: int
    site: SiteId
    weight: int
    commitment: Commitment
    locator: Locator | None
    """None for a row of a batch: the batch's sheet tells it."""
    batcher: SiteId | None
    """Site that handed it in with others; None if its own did."""
    grant: GrantId | None
    dataset: DatasetId | None
    block: int
    time: int
    transaction: Digest
    verdict: str = "waiting"
    """included, invalid, unavailable, waiting, superseded, or unreadable."""


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposed round record and its fate."""

    run: RunId
    round: RoundNumber
    attempt: int
    proposal: int
    site: SiteId
    fate: str
    """final, ended or open."""
    attested: int
    objected: int
    credits_total: int
    record: Commitment
    record_locator: Locator
    state: Commitment
    credits_root: Digest
    deadline: int
    inclusion: bytes
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class VoteRow:
    """An attestation or an objection."""

    run: RunId
    round: RoundNumber
    attempt: int
    proposal: int
    site: SiteId
    agrees: bool
    value: Digest
    """The witness of an attestation, or the record that an objector expected."""
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class SiteRow:
    """An institution as it stands at the index's head."""

    site: SiteId
    name: str
    account: Address
    standing: Standing
    roles: Role
    metadata: Commitment
    encryption_key: Digest
    store_address: str
    datasets: int
    updates: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A site that was a member at some time."""

    site: SiteId
    name: str
    account: Address
    roles: Role
    since_block: int
    since_time: int


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset as its site registered it."""

    dataset: DatasetId
    site: SiteId
    description: Commitment
    data: Commitment
    examples: int
    closed: bool
    requests: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A request for access and what was decided."""

    grant: GrantId
    dataset: DatasetId
    site: SiteId | None
    researcher: Address
    status: AccessStatus
    purpose: Commitment
    purpose_locator: Locator
    terms: Commitment | None
    terms_locator: Locator | None
    expiry: int | None
    run: RunId | None
    """Run that a site consented to under the grant."""
    decided_time: int | None
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """Credits that a site claimed."""

    run: RunId
    round: RoundNumber
    site: SiteId
    amount: int
    claimed: int
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class EventRow:
    """Any event: what it is and what it is about."""

    kind: str
    """Name of the event's class, as in ``fednet.domain.events``."""
    index: int
    """Position among the logs of its block."""
    run: RunId | None
    round: RoundNumber | None
    site: SiteId | None
    dataset: DatasetId | None
    grant: GrantId | None
    account: Address | None
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class ContributionRow:
    """What a site gave to one run."""

    run: RunId
    submitted: int
    """Updates it submitted, in whatever attempt."""
    included: int
    invalid: int
    unavailable: int
    examples: int
    """Sum of the weights of its updates in final attempts that count."""
    proposals: int
    attestations: int
    objections: int
    claimed: int
    datasets: tuple[DatasetId, ...]
    grants: tuple[GrantId, ...]
    first_time: int
    last_time: int


@dataclass(frozen=True, slots=True)
class Match:
    """One thing that a text names."""

    kind: str
    """What it is: update, state, record, plan, run, site, block, transaction, ..."""
    subject: str
    """Its full name: a digest, an address, or like "run 3"."""
    where: str
    """Where it stands, in words."""
    run: RunId | None = None
    round: RoundNumber | None = None
    site: SiteId | None = None
    dataset: DatasetId | None = None
    grant: GrantId | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class LineageUpdate:
    """An update that a step was made of, or that it left out."""

    site: SiteId
    weight: int
    commitment: Commitment
    locator: Locator | None
    """None for a row of a batch: the batch's sheet tells it."""
    verdict: str
    grant: GrantId | None
    dataset: DatasetId | None
    cluster: int | None = None
    """Cluster whose model took it; None where there is one model, or no record at hand."""
    batcher: SiteId | None = None
    """Site that handed it in with others; None if its own did."""


@dataclass(frozen=True, slots=True)
class LineageStep:
    """One round: how a state came of the one before."""

    round: RoundNumber
    attempt: int
    proposal: int
    final: bool
    state: Commitment
    previous_state: Commitment
    record: Commitment
    record_locator: Locator
    proposer: SiteId
    updates: tuple[LineageUpdate, ...]
    """Sorted by site."""
    block: int
    time: int
    transaction: Digest


@dataclass(frozen=True, slots=True)
class Lineage:
    """A model's way back to the initial model."""

    subject: Commitment
    run: RunId
    researcher: Address
    plan: Commitment
    plan_locator: Locator
    initial_model: Commitment
    initial_model_locator: Locator
    steps: tuple[LineageStep, ...]
    """Newest first; empty if the subject is the initial model."""
    names: Mapping[SiteId, str] = field(default_factory=dict)
    """Names of the sites that occur."""
    task_digest: str = ""
    """Digest of the task's code, where the plan's bytes were at hand."""
    cluster: int | None = None
    """Cluster whose updates alone are listed; None lists all."""
    cluster_model: Commitment | None = None
    """That cluster's model, as ``fednet model get --cluster`` takes it out of the state."""
