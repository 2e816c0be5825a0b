"""Everything a decision rests on, in one value; whoever holds it needs no chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field

from fednet.audit import RowVerdict
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.blobs import Wanted
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, SiteId
from fednet.domain.ledger import Role, RunState, Standing
from fednet.domain.masking_stages import MaskingAttempt, MaskingStage
from fednet.domain.plan import Plan
from fednet.node.places import AttemptKey, ProposalKey, TrainingOrder


@dataclass(frozen=True, slots=True)
class Pledge:
    """An update this node committed to; its bytes are durable on this disk."""

    commitment: Commitment
    locator: Locator
    weight: int
    file: str
    """Name within the run's folder."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What this node says of a proposal, written down before the chain hears it."""

    agrees: bool
    digest: Digest
    """The witness if it agrees, else the commitment of the record it expects."""


@dataclass(frozen=True, slots=True)
class Training:
    """A training of this site's, under way aside or over."""

    order: TrainingOrder
    is_over: bool = False
    failed: bool = False
    """Whether it is over because of an error."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What becomes of an update while its content is compared with the data, aside."""

    key: AttemptKey
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """An update that was put to the airlock's gate."""

    number: int
    """Of the request."""
    deadline: int
    """Until when an answer is waited for, in seconds since 1970."""
    waits: bool
    """Whether a person is asked and has not answered."""
    step: AirlockStep | None = None
    """What was decided; None if nothing is."""
    why: str = ""
    asked: int = 0
    """When it was put there, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """What this node knows of acts that are carried with others, in a run of the batched module."""

    is_open: bool = False
    """Whether messages can be had, so that somebody may hand in this site's acts."""
    updates: Collection[SiteId] = ()
    """Sites whose signed updates for the attempt at hand are here, as they came."""
    votes: Collection[SiteId] = ()
    """Sites whose signed attestations of the proposal at hand are here."""
    rows: Mapping[AttemptKey, Mapping[SiteId, RowVerdict]] = field(default_factory=dict)
    """What the sheets that are here say of rows."""
    committee: tuple[SiteId, ...] | None = None
    """Who votes on the proposal at hand, first carrier first; None if that is not known yet."""
    handed: Mapping[AttemptKey, int] = field(default_factory=dict)
    """When this site's update was last handed to others, in seconds since 1970."""
    voiced: Mapping[ProposalKey, tuple[int, int]] = field(default_factory=dict)
    """When this site's attestation was first and last handed to others."""
    refused: Set[tuple[int, ...]] = frozenset()
    """Attempts and proposals for which the chain took nothing that this site carried."""


@dataclass(frozen=True, slots=True)
class Masks:
    """What this node knows of the masks of one attempt."""

    stage: MaskingStage = MaskingStage.NONE
    """What the attempt waits for now, by the block's time."""
    deadline: int = 0
    """Of the stage or, once a set is proposed, of its affirmations, in seconds since 1970."""
    record: MaskingAttempt = field(default_factory=MaskingAttempt)
    """What stands on the ledger; read only."""
    neighbours: tuple[SiteId, ...] | None = None
    """Of this site, once keys are closed; None before, or if it has none."""
    dealers: Set[SiteId] | None = None
    """Who masks, once that is settled."""
    least_updates: int = 0
    """Masked updates that must count."""
    trouble: str = ""
    """Why nothing can be masked or unmasked in the attempt any more; empty if it can."""
    dealt: Set[SiteId] = frozenset()
    """Sites whose dealings are here."""
    is_fetching: bool = False
    """Whether every share that is named and not here is under way."""
    is_whole: bool = False
    """Whether every secret that the frozen set needs can be given back with what is here."""
    has_root: bool = False
    """Whether the journal knows this site's secrets of the attempt."""
    refused: Set[int] = frozenset()
    """Numbers of proposed sets that are not what the bytes give, as judged here."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What this node knows by itself of one run: its journal, its disk, its store."""

    pledges: Mapping[AttemptKey, Pledge] = field(default_factory=dict)
    published: Set[AttemptKey] = frozenset()
    intents: Mapping[ProposalKey, frozenset[SiteId]] = field(default_factory=dict)
    """Proposals begun: the sites called unavailable in each."""
    votes: Mapping[ProposalKey, Vote] = field(default_factory=dict)
    verified: Set[ProposalKey] = frozenset()
    """Proposals recomputed and agreed with, whose state is on this disk."""
    disputed: Set[ProposalKey] = frozenset()
    """Final proposals whose own recomputation gave another record."""
    ground: int = 0
    """Newest final round whose recomputed state is on this disk; 0 if there is none."""
    update_size_bytes: int = 0
    """How large an update of this run is thought to be."""
    asked: Mapping[AttemptKey, int] = field(default_factory=dict)
    """When this node first asked for an attempt's updates, in seconds since 1970."""
    preserved: Set[RoundNumber] = frozenset()
    held: Set[Commitment] = frozenset()
    """Updates of others whose verified bytes are here."""
    fetching: Set[Wanted] = frozenset()
    """Blobs of others that are being fetched, or will be tried again by themselves."""
    training: Training | None = None
    """The one training of the run that is under way, or whose update is still to be decided on."""
    examination: Examination | None = None
    """The one update that the airlock looks into, or has."""
    requests: Mapping[AttemptKey, Held] = field(default_factory=dict)
    """Updates of this run that were put to the airlock's gate."""
    untold: tuple[AirlockRecord, ...] = ()
    """What the airlock did and the ledger is still to learn, in order."""
    sat_out: Mapping[AttemptKey, str] = field(default_factory=dict)
    """Attempts to which this node has no update to give, and why."""
    unproposable: Set[ProposalKey] = frozenset()
    """Proposals that cannot be made of the updates there are."""
    seen_final: Mapping[ProposalKey, int] = field(default_factory=dict)
    """When this node first saw the round at hand final, in seconds since 1970."""
    ending: Set[ProposalKey] = frozenset()
    """Verified final proposals whose record says that the run ends."""
    carriage: Carriage = field(default_factory=Carriage)
    masks: Mapping[AttemptKey, Masks] = field(default_factory=dict)
    """Of the attempt at hand and of those that may have to be recomputed, in a masked run."""
    sums: Set[AttemptKey] = frozenset()
    """Attempts whose sum of encrypted updates is here; of the same attempts."""
    obstacle: str = ""
    """Why this node must not train in this run at all; empty if it may."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One moment of one run, as one site sees it."""

    site: SiteId
    roles: Role
    """Roles of the node's account."""
    standing: Standing
    now: int
    """Seconds since 1970; never behind the chain's last block."""
    plan: Plan
    state: RunState
    history: RunHistory
    """Read only; may lag behind the state by a block, never lead it."""
    facts: NodeFacts
    lost: Set[SiteId] = frozenset()
    """Sites whose standing is lost."""

    @property
    def attempt_key(self) -> AttemptKey:
        """Name the attempt that runs now."""
        return AttemptKey(self.state.round, self.state.attempt)

    @property
    def proposal_key(self) -> ProposalKey:
        """Name the proposal that is awaited or judged now."""
        return self.attempt_key.proposal(self.state.proposal)

    @property
    def consents(self) -> bool:
        """Tell whether this site's consent stands."""
        return self.site in self.history.consents and self.site not in self.history.ended
