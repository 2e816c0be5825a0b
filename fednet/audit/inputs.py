"""What a round's recomputation rests on: values and files verified against their commitments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from fednet.codec import Reason
from fednet.domain.blobs import BlobFile
from fednet.domain.evaluation import Evaluation
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Address, Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.update import Place

if TYPE_CHECKING:
    # Most rounds mask nothing, and load nothing of it.
    from fednet.privacy.homomorphic import Decrypting, SumHeader
    from fednet.privacy.masking import Dealers, FixedPoint, Frozen, Recovery
    from fednet.privacy.sealing import Written


class SealState(Protocol):
    """Seal what follows from an attempt's updates, for the attempt's members."""

    def __call__(self, content: Path, target: Path, included: Sequence[SiteId]) -> Written:
        """Seal a state under the keys of the included updates; it is the same at every member.

        Raises:
            SettingsError: The disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenedUpdates:
    """The updates of an attempt, as far as they were to be opened."""

    paths: Mapping[SiteId, BlobFile | None]
    """Where the content of each is; None where there are no bytes, or none that open."""
    refused: Mapping[SiteId, Reason]
    """Those that do not open as the protocol asks."""
    seal: SealState | None
    """Seals the state that follows from them; None where the run does not seal."""


@dataclass(frozen=True, slots=True)
class PreviousRound:
    """What a round starts from: the last final round, or the plan and initial model."""

    record: Commitment
    """Commitment of the previous round's record; in round 1, of the plan."""
    state: Commitment
    state_path: BlobFile
    """Local copy of the state: verified and, where the run seals, opened."""
    earned: Mapping[SiteId, int]
    """Cumulative credits before this round; empty in round 1."""
    evaluation: Evaluation | None = None
    """How good the states before this one were; None in round 1."""
    assigned: Mapping[SiteId, int] = field(default_factory=dict)
    """Cluster by site, once groups by similarity are formed."""
    is_sealed: bool = False
    """Whether the state cannot be read, because no key to it is here."""
    next_norm: str = ""
    """Clipping norm that the last final round settled, where it follows the sites; else empty."""

    @classmethod
    def of_record(
        cls, commitment: Commitment, state: Commitment, state_path: BlobFile, record: RoundRecord
    ) -> Self:
        """Take what the next round needs from a final round's record."""
        told = record.outcome.get("next_norm", "")
        return cls(
            commitment,
            state,
            state_path,
            record.earned,
            record.evaluation,
            record.assigned,
            next_norm=told if isinstance(told, str) else "",
        )

    @property
    def ends(self) -> str:
        """Say why the run is to end after this round; empty if it goes on."""
        return self.evaluation.ends if self.evaluation else ""


@dataclass(frozen=True, slots=True)
class MaskedInputs:
    """What masked updates are judged by and, once their set is frozen, unmasked with."""

    dealers: Dealers
    """Who masks with whom."""
    fixed_point: FixedPoint
    frozen: Frozen | None = None
    """The set that the ledger holds for good; None before."""
    recovery: Recovery | None = None
    """What the disclosed shares give; None before any set is frozen."""


@dataclass(frozen=True, slots=True)
class MaskedAttempt:
    """What an attempt's masks came to."""

    inputs: MaskedInputs | None
    """None if nobody can have masked, or nothing can have been unmasked."""
    problem: str = ""
    """Why no proposal of this attempt can be right; empty if one can."""
    is_missing: bool = False
    """Whether shares cannot be had that somebody must serve, so that nothing can be said."""


@dataclass(frozen=True, slots=True)
class EncryptedInputs:
    """The sum that aggregators agreed on, and what decrypts it."""

    commitment: Commitment
    path: BlobFile
    """Its bytes, verified."""
    header: SumHeader
    """Of which updates it is, compared with the ledger."""
    key: Decrypting | None
    """What the sites share; None at an auditor without it."""


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """Everything that a round follows from, except who proposes it."""

    plan: Plan
    place: Place
    previous: PreviousRound
    submissions: Sequence[UpdateSubmitted]
    """The attempt's submissions, in any order."""
    paths: Mapping[SiteId, BlobFile | None]
    """Local copy of each submission's bytes, verified and opened; None or absent if unavailable."""
    credits_contract: Address
    """Address of the deployment's Credits contract, to which credit leaves are bound."""
    cohort: int
    """Sites in the attempt's frozen cohort."""
    late: Mapping[Commitment, int] = field(default_factory=dict)
    """How late an update is that was trained from an older state; see `late_bases`."""
    refused: Mapping[SiteId, Reason] = field(default_factory=dict)
    """Submissions that count for nothing whatever their bytes are: rows of batches by what
    ``audit.sheets`` says, and what does not open; see ``audit.sealed``."""
    seal: SealState | None = None
    """Seals the next state, where the plan says so."""
    masked: MaskedInputs | None = None
    """Of an attempt whose updates are masked."""
    encrypted: EncryptedInputs | None = None
    """Of an attempt whose updates are encrypted, once there is a sum of them."""

    @property
    def bases(self) -> Mapping[Commitment, int]:
        """Return the staleness, in rounds, by the state that an update may start from."""
        return {**self.late, self.previous.state: 0}
