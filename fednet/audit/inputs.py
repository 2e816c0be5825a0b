"""What a round's recomputation rests on: values and files verified against their commitments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from fednet.codec import Reason
from fednet.domain.blobs import BlobFile
from fednet.domain.evaluation import Evaluation
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Address, Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.update import Place


@dataclass(frozen=True, slots=True)
class PreviousRound:
    """What a round starts from: the last final round, or the plan and initial model."""

    record: Commitment
    """Commitment of the previous round's record; in round 1, of the plan."""
    state: Commitment
    state_path: BlobFile
    """Verified local copy of the state."""
    earned: Mapping[SiteId, int]
    """Cumulative credits before this round; empty in round 1."""
    evaluation: Evaluation | None = None
    """How good the states before this one were; None in round 1."""
    assigned: Mapping[SiteId, int] = field(default_factory=dict)
    """Cluster by site, once groups by similarity are formed."""

    @classmethod
    def of_record(
        cls, commitment: Commitment, state: Commitment, state_path: BlobFile, record: RoundRecord
    ) -> Self:
        """Take what the next round needs from a final round's record."""
        return cls(commitment, state, state_path, record.earned, record.evaluation, record.assigned)

    @property
    def ends(self) -> str:
        """Say why the run is to end after this round; empty if it goes on."""
        return self.evaluation.ends if self.evaluation else ""


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """Everything that a round follows from, except who proposes it."""

    plan: Plan
    place: Place
    previous: PreviousRound
    submissions: Sequence[UpdateSubmitted]
    """The attempt's submissions, in any order."""
    paths: Mapping[SiteId, BlobFile | None]
    """Verified local copy of each submission's bytes; None or absent if unavailable."""
    credits_contract: Address
    """Address of the deployment's Credits contract, to which credit leaves are bound."""
    cohort: int
    """Sites in the attempt's frozen cohort."""
    late: Mapping[Commitment, int] = field(default_factory=dict)
    """How late an update is that was trained from an older state; see `late_bases`."""
    refused: Mapping[SiteId, Reason] = field(default_factory=dict)
    """Rows of batches that count for nothing whatever their bytes are; see ``audit.sheets``."""

    @property
    def bases(self) -> Mapping[Commitment, int]:
        """Return the staleness, in rounds, by the state that an update may start from."""
        return {**self.late, self.previous.state: 0}
