"""What a node may do next; `decide` returns exactly one of these."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.airlock import AirlockRecord
from fednet.domain.identity import Commitment, Digest, RoundNumber, SiteId
from fednet.node.places import AttemptKey, ProposalKey, TrainingOrder


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until the chain or a fetch says something new, or the time comes."""

    reason: str
    until: int | None = None
    """Seconds since 1970 at which the answer may be another; None if only news can change it."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do in this run, ever."""

    reason: str


@dataclass(frozen=True, slots=True)
class Train:
    """Begin to train on the last final state, for an attempt."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Wrap:
    """Make an update for an attempt of what was trained, and put it to the airlock."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Discard:
    """Stop a training, or throw away what came of it; if that is an error, say so."""

    order: TrainingOrder


@dataclass(frozen=True, slots=True)
class Judge:
    """Put what the airlock found in an update to its gate, or keep the update in."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Settle:
    """Decide on an update at the airlock's gate."""

    key: AttemptKey
    in_time: bool
    """Whether its attempt still takes updates."""


@dataclass(frozen=True, slots=True)
class Release:
    """Commit, in the journal, to an update that the airlock let out."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Tell:
    """Put on the ledger what the airlock did, without what about."""

    record: AirlockRecord


@dataclass(frozen=True, slots=True)
class Draw:
    """Have the chain draw who trains in an attempt."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Advertise:
    """Draw this site's secrets of a masked attempt, and advertise its keys."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class CloseKeys:
    """Have the chain take no more keys: all are there, or their time is over."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Deal:
    """Deal shares of this site's secrets to its neighbours."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class FetchShares:
    """Begin to fetch shares of a masked attempt; does not wait for them."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Hold:
    """Open what neighbours dealt, and say whose shares this site holds."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class ProposeSet:
    """Propose which masked updates count."""

    key: AttemptKey
    number: int
    unavailable: frozenset[SiteId]
    """Sites whose bytes nobody served."""


@dataclass(frozen=True, slots=True)
class AffirmSet:
    """Judge a proposed set, and affirm it if it is the one that the bytes give."""

    key: AttemptKey
    number: int
    unavailable: frozenset[SiteId]
    """Sites to be treated as unavailable."""


@dataclass(frozen=True, slots=True)
class Disclose:
    """Bind this site to the frozen set, and disclose one share of each neighbour for it."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Submit:
    """Tell the chain the commitment that stands in the journal."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class HandIn:
    """Sign the update in the journal and hand it to whoever makes the batch."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Batch:
    """Hand in signed updates of several sites to the chain."""

    key: AttemptKey
    sites: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """Sign an attestation and hand it to whoever carries the committee's."""

    key: ProposalKey
    witness: Digest


@dataclass(frozen=True, slots=True)
class Carry:
    """Send signed attestations of several sites to the chain."""

    key: ProposalKey
    sites: tuple[SiteId, ...]
    and_advance: bool
    """Whether to begin the next round at once if they make this one final."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Hand the bytes that were committed to out to the store."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Fetch:
    """Begin to fetch the updates of other sites; does not wait for them."""

    key: AttemptKey
    sites: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class Propose:
    """Combine the updates and propose the record that comes out."""

    key: ProposalKey
    unavailable: frozenset[SiteId]
    """Sites whose bytes nobody served."""


@dataclass(frozen=True, slots=True)
class Recompute:
    """Recompute a proposal, so that the next decision can judge it."""

    key: ProposalKey
    unavailable: frozenset[SiteId]
    """Sites to be treated as unavailable."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Recompute a final round that was missed, so that its state need not be fetched."""

    key: ProposalKey
    unavailable: frozenset[SiteId]
    """Sites that the final record calls unavailable."""


@dataclass(frozen=True, slots=True)
class Attest:
    """Vouch for a proposal whose recomputation gave the same record."""

    key: ProposalKey
    witness: Digest


@dataclass(frozen=True, slots=True)
class Object:
    """Object to a proposal whose recomputation gave another record."""

    key: ProposalKey
    expected: Commitment


@dataclass(frozen=True, slots=True)
class Preserve:
    """Pin and serve what a final round names, so that it outlives its aggregator."""

    round: RoundNumber


@dataclass(frozen=True, slots=True)
class Advance:
    """Move the run on: its deadline has passed, or its round is final."""

    deadline: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Vote to end the run with a round whose record says so."""

    round: RoundNumber


@dataclass(frozen=True, slots=True)
class Drop:
    """End the consent of a site that can no longer submit and is waited for."""

    site: SiteId


Act = (
    Wait
    | Done
    | Draw
    | Train
    | Wrap
    | Discard
    | Judge
    | Settle
    | Release
    | Tell
    | Advertise
    | CloseKeys
    | Deal
    | FetchShares
    | Hold
    | ProposeSet
    | AffirmSet
    | Disclose
    | Submit
    | HandIn
    | Batch
    | Voice
    | Carry
    | Publish
    | Fetch
    | Propose
    | Recompute
    | Replay
    | Attest
    | Object
    | Preserve
    | Advance
    | Conclude
    | Drop
)
