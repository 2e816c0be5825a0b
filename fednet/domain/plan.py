"""A plan: the frozen agreement of a run. TOML in, canonical JSON out.

Its commitment stands on the chain before any site consents; opening a run
freezes it. Every field is checked here, alone and against the others, so that
an impossible plan never reaches a chain.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    model_validator,
)

from fednet.domain import canonical
from fednet.domain.identity import Commitment
from fednet.domain.ledger import Parameters
from fednet.errors import FednetError, PlanError

MAX_PLAN_SIZE_BYTES = 1 << 16
SECONDS_PER_DAY = 86_400
MAX_CREDITS = 1 << 48
"""Credits of a whole run, which the contract packs into 48 bits."""


def _to_decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number")
    return Decimal(canonical.decimal_text(value))


Real = Annotated[Decimal, BeforeValidator(_to_decimal)]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[int, Field(ge=1, le=30 * SECONDS_PER_DAY)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_serializer("*", when_used="always")
    def _write_reals(self, value: object) -> object:
        return canonical.decimal_text(value) if isinstance(value, Decimal) else value


class TaskSection(_Section):
    """What is learnt, and the code that says so."""

    source: str = Field(min_length=1, max_length=200)
    """A built-in name, ``package.module:Class`` or ``file.py:Class``."""
    digest: Hex64
    """SHA-256 over the task's own source; a site with other code refuses to train."""


class ModelSection(_Section):
    """The model that round 1 starts from."""

    commitment: Hex64
    size_bytes: int = Field(ge=1, le=1 << 40)
    """Size of a state's complete bytes; every later state has the same."""


class TrainingSection(_Section):
    """What a site does with the model before it sends its difference."""

    algorithm: Literal["fedavg", "fedprox"] = "fedavg"
    local_epochs: int = Field(1, ge=0, le=10_000)
    batch_size: int = Field(32, ge=1, le=1 << 20)
    learning_rate: Real = Field(Decimal("0.05"), gt=0, le=1_000)
    momentum: Real = Field(Decimal(0), ge=0, lt=1)
    proximal_mu: Real = Field(Decimal(0), ge=0, le=1_000)
    """Pull towards the global model (FedProx); 0 with FedAvg."""
    seed: int = Field(0, ge=0, lt=1 << 32)


class CohortSection(_Section):
    """Who may take part, and how many must."""

    minimum_sites: int = Field(2, ge=1, le=10_000)
    target_sites: int = Field(2, ge=1, le=10_000)
    maximum_sites: int = Field(1_000, ge=1, le=10_000)
    minimum_updates: int = Field(2, ge=1, le=10_000)
    quorum_basis_points: int = Field(5_000, ge=5_000, le=10_000)
    """More than this share of the frozen cohort must attest; 10000 means all."""


class TimingSection(_Section):
    """How long each phase may last, in seconds."""

    consent_seconds: Seconds = 7 * SECONDS_PER_DAY
    collect_seconds: Seconds = 3_600
    reveal_seconds: int = Field(300, ge=0, le=30 * SECONDS_PER_DAY)
    """0 lets sites publish their bytes at once, and their work be copied."""
    grace_seconds: int = Field(60, ge=0, le=30 * SECONDS_PER_DAY)
    """How long only the turn's aggregator may propose, after the reveal."""
    propose_seconds: Seconds = 1_800
    attest_seconds: Seconds = 1_800
    max_proposals: int = Field(3, ge=1, le=100)
    max_attempts: int = Field(3, ge=1, le=100)


class UpdateSection(_Section):
    """Bounds that every update keeps; the airlock and the intake check them."""

    codec: Literal["float32"] = "float32"
    minimum_examples: int = Field(1, ge=1, le=1 << 39)
    maximum_examples: int = Field(1 << 30, ge=1, le=(1 << 40) - 1)
    maximum_norm: Real = Field(Decimal(1_000), gt=0, le=10**12)
    """Largest Euclidean norm of an update."""


class AggregationSection(_Section):
    """The rule that combines updates."""

    rule: Literal["fedavg"] = "fedavg"


class CreditsSection(_Section):
    """What a round's work earns."""

    rule: Literal["examples"] = "examples"
    per_round: int = Field(1_000, ge=1, le=1 << 40)
    """Credits that each final round shares out, whole."""
    transferable: bool = False


class Plan(_Section):
    """Everything that a run agrees on."""

    format: Literal["fednet-plan/1"] = "fednet-plan/1"
    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    rounds: int = Field(ge=1, le=100_000)
    task: TaskSection
    model: ModelSection
    training: TrainingSection = TrainingSection()
    cohort: CohortSection = CohortSection()
    timing: TimingSection = TimingSection()
    update: UpdateSection = UpdateSection()
    aggregation: AggregationSection = AggregationSection()
    credits: CreditsSection = CreditsSection()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        cohort, training = self.cohort, self.training
        if not cohort.minimum_sites <= cohort.target_sites <= cohort.maximum_sites:
            raise ValueError("cohort: minimum_sites <= target_sites <= maximum_sites must hold")
        if cohort.minimum_updates > cohort.maximum_sites:
            raise ValueError("cohort: minimum_updates can never be reached by maximum_sites")
        if self.credits.per_round * self.rounds >= MAX_CREDITS:
            raise ValueError("credits: per_round times rounds must stay below 2**48")
        if self.update.minimum_examples > self.update.maximum_examples:
            raise ValueError("update: minimum_examples is above maximum_examples")
        if training.algorithm == "fedavg" and training.proximal_mu != 0:
            raise ValueError('training: proximal_mu needs algorithm = "fedprox"')
        if training.algorithm == "fedprox" and training.proximal_mu == 0:
            raise ValueError("training: fedprox needs proximal_mu above 0")
        return self

    @property
    def reveals_late(self) -> bool:
        """Tell whether bytes are published only after submissions have closed."""
        return self.timing.reveal_seconds > 0

    @property
    def commitment(self) -> Commitment:
        """Commit to the plan's canonical bytes."""
        return Commitment.of(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that goes to the store."""
        return canonical.encode(self.model_dump())

    @classmethod
    def from_bytes(cls, data: bytes, subject: str = "plan") -> Self:
        """Read a plan from its canonical bytes.

        Raises:
            PlanError: Too large, not canonical, or not a possible plan.
        """
        if len(data) > MAX_PLAN_SIZE_BYTES:
            raise PlanError("plan is too large", subject=subject, actual=f"{len(data)} bytes")
        try:
            raw = canonical.decode_object(data, subject)
        except FednetError as exc:
            raise PlanError(exc.message, subject=subject, actual=exc.actual) from exc
        plan = cls.validated(raw, subject)
        if plan.to_bytes() != data:
            raise PlanError("plan leaves out fields that have defaults", subject=subject)
        return plan

    @classmethod
    def from_toml(cls, text: str, subject: str = "plan") -> Self:
        """Read a plan as its author wrote it.

        Raises:
            PlanError: Not TOML, or not a possible plan; names the field.
        """
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise PlanError(f"not TOML: {exc}", subject=subject) from exc
        return cls.validated(raw, subject)

    @classmethod
    def validated(cls, raw: dict[str, Any], subject: str) -> Self:
        """Check plain values and make a plan of them."""
        try:
            return cls.model_validate(raw)
        except ValidationError as exc:
            first = exc.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise PlanError(
                f"{field}: {first['msg']}" if field else str(first["msg"]),
                subject=subject,
                actual=repr(first.get("input"))[:80] if field else None,
                hint="fednet plan check FILE lists what a plan may say",
            ) from exc

    def parameters(self) -> Parameters:
        """Return what the rounds contract holds of this plan."""
        timing, cohort = self.timing, self.cohort
        return Parameters(
            rounds=self.rounds,
            consent_seconds=timing.consent_seconds,
            collect_seconds=timing.collect_seconds,
            reveal_seconds=timing.reveal_seconds,
            grace_seconds=timing.grace_seconds,
            propose_seconds=timing.propose_seconds,
            attest_seconds=timing.attest_seconds,
            max_proposals=timing.max_proposals,
            max_attempts=timing.max_attempts,
            quorum_basis_points=cohort.quorum_basis_points,
            minimum_sites=cohort.minimum_sites,
            target_sites=cohort.target_sites,
            maximum_sites=cohort.maximum_sites,
            minimum_updates=cohort.minimum_updates,
            maximum_examples=self.update.maximum_examples,
            credits_per_round=self.credits.per_round,
        )
