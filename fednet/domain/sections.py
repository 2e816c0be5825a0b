"""The sections of a plan: every word it may say, with its range, each checked alone."""

from __future__ import annotations

from decimal import Decimal
from math import isqrt
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_serializer,
    model_validator,
)

from fednet.domain import canonical
from fednet.domain.batches import MAXIMUM_COMMITTEE_SITES
from fednet.domain.ledger import ModuleName

SECONDS_PER_DAY = 86_400
MOST_CLUSTERS = 16
WHOLE = 10_000
"""A factor of 1 in ten-thousandths, in which staleness is weighed."""


def _to_decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number")
    return Decimal(canonical.decimal_text(value))


def to_tuple(value: object) -> object:
    """Read a list, as TOML and JSON have it, as the tuple of a frozen section."""
    return tuple(value) if isinstance(value, list) else value


Real = Annotated[Decimal, BeforeValidator(_to_decimal)]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
    BeforeValidator(to_tuple),
    Field(max_length=100),
]
"""Names of tensors, with the wildcards of a shell; at least one tensor must match each."""
Seconds = Annotated[int, Field(ge=1, le=30 * SECONDS_PER_DAY)]


class Section(BaseModel):
    """Refuse what it does not know; write real numbers as normalised decimals."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_serializer("*", when_used="always")
    def _write_reals(self, value: object) -> object:
        if isinstance(value, tuple):
            return tuple(_plain(each) for each in value)
        return _plain(value)


def _plain(value: object) -> object:
    return canonical.decimal_text(value) if isinstance(value, Decimal) else value


class TaskSection(Section):
    """What is learnt, and the code that says so."""

    source: str = Field(min_length=1, max_length=200)
    """A built-in name, ``package.module:Class`` or ``file.py:Class``."""
    digest: Hex64
    """SHA-256 over the task's own source; a site with other code refuses to train."""


class ModelSection(Section):
    """The model that round 1 starts from."""

    commitment: Hex64
    size_bytes: int = Field(ge=1, le=1 << 40)
    """Size of a state's complete bytes; every later state has the same."""


class TrainingSection(Section):
    """What a site does with the model before it sends its difference."""

    algorithm: Literal["fedavg", "fedprox", "scaffold"] = "fedavg"
    local_epochs: int = Field(1, ge=0, le=10_000)
    batch_size: int = Field(32, ge=1, le=1 << 20)
    learning_rate: Real = Field(Decimal("0.05"), gt=0, le=1_000)
    momentum: Real = Field(Decimal(0), ge=0, lt=1)
    proximal_mu: Real = Field(Decimal(0), ge=0, le=1_000)
    """Pull towards the global model (FedProx); 0 with FedAvg."""
    seed: int = Field(0, ge=0, lt=1 << 32)


class CohortSection(Section):
    """Who may take part, and how many must."""

    minimum_sites: int = Field(2, ge=1, le=10_000)
    target_sites: int = Field(2, ge=1, le=10_000)
    maximum_sites: int = Field(1_000, ge=1, le=10_000)
    minimum_updates: int = Field(2, ge=1, le=10_000)
    target_updates: int = Field(0, ge=0, le=10_000)
    """Submissions on which a round closes before its deadline; 0 waits for the whole cohort."""
    quorum_basis_points: int = Field(5_000, ge=5_000, le=10_000)
    """More than this share of the frozen cohort must attest; 10000 means all."""


class TimingSection(Section):
    """How long each phase may last, in seconds."""

    consent_seconds: Seconds = 7 * SECONDS_PER_DAY
    collect_seconds: Seconds = 3_600
    straggler_percent: int = Field(0, ge=0, le=10_000)
    """How long stragglers are waited for once cohort.target_updates have come, in percent of the
    time that these took; 0 closes the round at once."""
    reveal_seconds: int = Field(300, ge=0, le=30 * SECONDS_PER_DAY)
    """0 lets sites publish their bytes at once, and their work be copied."""
    grace_seconds: int = Field(60, ge=0, le=30 * SECONDS_PER_DAY)
    """How long only the turn's aggregator may propose, after the reveal."""
    propose_seconds: Seconds = 1_800
    attest_seconds: Seconds = 1_800
    max_proposals: int = Field(3, ge=1, le=100)
    max_attempts: int = Field(3, ge=1, le=100)


class ModuleSection(Section):
    """The contract that leads the run's rounds."""

    name: ModuleName = "plain"
    committee_sites: int = Field(0, ge=0, le=MAXIMUM_COMMITTEE_SITES)
    """Members drawn to attest each proposal, with batched; 0 lets the whole cohort attest."""
    batch_seconds: int = Field(0, ge=0, le=30 * SECONDS_PER_DAY)
    """How long a batch waits for updates, with batched; 0 waits for half of collect_seconds."""
    sampled_sites: int = Field(0, ge=0, le=10_000)
    """Sites drawn to train in each attempt, with sampled; 0 with the others."""

    @property
    def drawn_sites(self) -> int | None:
        """Return how many sites the module draws; None for one that draws none."""
        return {"batched": self.committee_sites, "sampled": self.sampled_sites}.get(self.name)


class UpdateSection(Section):
    """Bounds that every update keeps; the airlock and the intake check them."""

    codec: Literal["float32", "bfloat16", "int8", "int4", "topk", "topk-int8", "topk-int4"] = (
        "float32"
    )
    """How an update's values stand in its bytes."""
    keep_ratio: Real = Field(Decimal(1), gt=0, le=1)
    """Share of the values that a sparse codec keeps; 1 with the others."""
    travelling: Patterns = ()
    """Tensors that are trained together; the others keep their initial values. Empty: all."""
    personal: Patterns = ()
    """Tensors that each site keeps to itself (local heads); they never travel."""
    minimum_examples: int = Field(1, ge=1, le=1 << 39)
    maximum_examples: int = Field(1 << 30, ge=1, le=(1 << 40) - 1)
    maximum_norm: Real = Field(Decimal(1_000), gt=0, le=10**12)
    """Largest Euclidean norm of an update."""


class AggregationSection(Section):
    """The rule that combines updates."""

    rule: Literal[
        "fedavg",
        "fednova",
        "median",
        "trimmed-mean",
        "krum",
        "multi-krum",
        "bulyan",
        "geometric-median",
        "norm-bounding",
        "centred-clipping",
    ] = "fedavg"
    hostile: int = Field(0, ge=0, le=5_000)
    """Hostile updates that the rule must withstand: f of Krum and Bulyan, b of a trimmed mean."""
    keep: int = Field(0, ge=0, le=10_000)
    """Updates that Multi-Krum averages; 0 takes as many as it may."""
    norm: Real = Field(Decimal(0), ge=0, le=10**12)
    """Radius of norm bounding and of centred clipping; 0 with other rules."""
    iterations: int = Field(8, ge=1, le=100)
    """Steps of the geometric median and of centred clipping."""
    fallback: Literal["median", "fail"] = "fail"
    """What a round does with too few updates for its rule: take the median, or fail the attempt."""

    @property
    def least_updates(self) -> int:
        """Return how many updates the rule needs to withstand as many hostile ones."""
        needed = {
            "median": 2 * self.hostile + 1,
            "trimmed-mean": 2 * self.hostile + 1,
            "geometric-median": 2 * self.hostile + 1,
            "centred-clipping": 2 * self.hostile + 1,
            "krum": 2 * self.hostile + 3,
            "multi-krum": 2 * self.hostile + 3,
            "bulyan": 4 * self.hostile + 3,
        }
        return needed.get(self.rule, 1)


class StalenessSection(Section):
    """Whether an update may come late, trained from an older state, and what it then counts.

    With ``cohort.target_updates`` as the size of the buffer this is FedBuff (Nguyen et
    al., 2022, https://arxiv.org/abs/2106.06639), whose factor is 1 / sqrt(1 + staleness).
    """

    rounds: int = Field(0, ge=0, le=1_000)
    """How many rounds older than its round's own base the state may be that an update was
    trained from; 0 refuses late updates."""
    weights: Annotated[
        tuple[Annotated[Real, Field(gt=0, le=1, decimal_places=4)], ...],
        BeforeValidator(to_tuple),
    ] = ()
    """Factor of an update that is 1, 2, ... rounds late; left out: FedBuff's, to four places."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever an author wrote
        if not isinstance(raw, dict) or raw.get("weights"):
            return raw
        rounds = raw.get("rounds", 0)
        usable = isinstance(rounds, int) and 0 < rounds <= 1_000
        late = range(1, rounds + 1) if usable else ()
        return {**raw, "weights": tuple(Decimal(_root_factor(each)) / WHOLE for each in late)}

    @model_validator(mode="after")
    def _check_count(self) -> StalenessSection:
        if len(self.weights) != self.rounds:
            raise ValueError(f"weights: must be {self.rounds}, one for each of the rounds")
        return self

    def factor(self, staleness: int) -> int:
        """Return what an update counts that is so many rounds late, in ten-thousandths."""
        return int(self.weights[staleness - 1] * WHOLE) if staleness else WHOLE


def _root_factor(staleness: int) -> int:
    """Return 1 / sqrt(1 + staleness) in ten-thousandths, to the nearest, without a float."""
    return (isqrt(4 * WHOLE**2 // (1 + staleness)) + 1) // 2


class ServerSection(Section):
    """What the combined update does to the global model; its state is part of the global state."""

    optimizer: Literal["none", "fedavgm", "fedadam", "fedyogi", "fedadagrad"] = "none"
    learning_rate: Real = Field(Decimal(1), gt=0, le=1_000)
    momentum: Real = Field(Decimal("0.9"), ge=0, lt=1)
    """Momentum of FedAvgM; beta 1 of the adaptive optimisers."""
    second_momentum: Real = Field(Decimal("0.99"), ge=0, lt=1)
    """Beta 2 of FedAdam and FedYogi."""
    adaptivity: Real = Field(Decimal("0.001"), ge=Decimal("1e-12"), le=1_000)
    """Tau: added to the square root of the second moment. Were it smaller, one site's tiny
    values could lead to a state that is not finite, and so stop the run."""


class PersonalSection(Section):
    """A model of each site's own, beside the global one; it never leaves the site."""

    method: Literal["none", "ditto"] = "none"
    pull: Real = Field(Decimal(0), ge=0, le=1_000)
    """Lambda of Ditto: the pull of the personal model towards the global one."""
    epochs: int = Field(1, ge=1, le=10_000)


class ClustersSection(Section):
    """Several global models, for groups of sites that differ."""

    method: Literal["none", "ifca", "similarity"] = "none"
    count: int = Field(1, ge=1, le=MOST_CLUSTERS)
    form_round: int = Field(1, ge=1, le=100_000)
    """Round whose updates form the groups by their similarity; until then all train one model."""


class EvaluationSection(Section):
    """Judge each round's model at the sites, and end when it is good or no longer better."""

    metric: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    """Metric of the task; empty: sites publish no metric."""
    goal: Literal["maximise", "minimise"] = "maximise"
    target: Real | None = None
    """End the run once the pooled metric reaches it."""
    patience: int = Field(0, ge=0, le=100_000)
    """End the run after so many rounds without a better one; 0 never."""
    lowest: Real | None = None
    """What the metric can be at least; a site's value below counts as this in the pool."""
    highest: Real | None = None
    """What the metric can be at most."""

    @property
    def may_end(self) -> bool:
        """Tell whether what the sites measure may end the run early."""
        return self.target is not None or self.patience > 0


class PrivacySection(Section):
    """How little updates may betray of a record, or of a site, that they were learnt from."""

    mechanism: Literal["none", "dp-sgd", "distributed-gaussian"] = "none"
    """With dp-sgd each step adds noise to clipped gradients of a Poisson sample, which hides each
    record in an update; with distributed-gaussian each site adds a share of the noise that hides
    its whole update in the sum which secure aggregation opens."""
    clip_norm: Real = Field(Decimal(0), ge=0, le=10**6)
    """Largest Euclidean norm of one example's gradient, or of a site's update before it is
    weighted; 0 without a mechanism."""
    noise_multiplier: Real = Field(Decimal(0), ge=0, le=1_000)
    """Standard deviation of the noise, in units of clip_norm; in the sum of the fewest sites that
    may be opened, in units of clip_norm times update.maximum_examples."""
    epsilon: Real = Field(Decimal(0), ge=0, le=1_000, decimal_places=6)
    """What a site spends at most on any one record, in the whole run."""
    delta: Real = Field(Decimal(0), ge=0, lt=1, decimal_places=12)
    """Chance, roughly, with which epsilon may fail to bound it; below 1 in the dataset's size, or
    in the number of sites."""
    quantile: Real = Field(Decimal(0), ge=0, lt=1)
    """Part of the examples whose sites' updates should be within clip_norm, which then is the
    first round's, and follows them; 0 keeps it. With distributed-gaussian."""
    norm_rate: Real = Field(Decimal("0.2"), gt=0, le=2)
    """How fast the norm follows: by exp(norm_rate) a round at most."""
    sealed: bool = False
    """Updates and states lie in the stores encrypted, for the members of each round's cohort."""

    @property
    def hides_records(self) -> bool:
        """Tell whether noise in each update hides single records."""
        return self.mechanism == "dp-sgd"

    @property
    def hides_sites(self) -> bool:
        """Tell whether noise in the sum of updates hides each site's whole update."""
        return self.mechanism == "distributed-gaussian"

    @property
    def adapts(self) -> bool:
        """Tell whether the clipping norm follows the sites."""
        return self.quantile > 0


class CreditsSection(Section):
    """What a round's work earns."""

    rule: Literal["examples"] = "examples"
    per_round: int = Field(1_000, ge=1, le=1 << 40)
    """Credits that each final round shares out, whole."""
    transferable: bool = False
