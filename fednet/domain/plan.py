"""A plan: the frozen agreement of a run. TOML in, canonical JSON out.

Its commitment stands on the chain before any site consents; opening a run
freezes it. Every field is checked in its section and here against the others,
so that an impossible plan never reaches a chain.
"""

from __future__ import annotations

import tomllib
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from fednet.domain import canonical
from fednet.domain.coherence import contradiction
from fednet.domain.homomorphic_section import HomomorphicSection
from fednet.domain.identity import Commitment
from fednet.domain.ledger import Parameters
from fednet.domain.masking_section import MaskingSection
from fednet.domain.masking_stages import MaskingTimes
from fednet.domain.sealed_sizes import sealed_size_bytes
from fednet.domain.sections import (
    AggregationSection,
    ClustersSection,
    CohortSection,
    CreditsSection,
    EvaluationSection,
    ModelSection,
    ModuleSection,
    PersonalSection,
    PrivacySection,
    Section,
    ServerSection,
    StalenessSection,
    TaskSection,
    TimingSection,
    TrainingSection,
    UpdateSection,
)
from fednet.errors import FednetError, PlanError

MAX_PLAN_SIZE_BYTES = 1 << 16


class Plan(Section):
    """Everything that a run agrees on."""

    format: Literal["fednet-plan/1"] = "fednet-plan/1"
    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    rounds: int = Field(ge=1, le=100_000)
    task: TaskSection
    model: ModelSection
    training: TrainingSection = TrainingSection()
    cohort: CohortSection = CohortSection()
    timing: TimingSection = TimingSection()
    module: ModuleSection = ModuleSection()
    update: UpdateSection = UpdateSection()
    aggregation: AggregationSection = AggregationSection()
    staleness: StalenessSection = StalenessSection()
    server: ServerSection = ServerSection()
    personal: PersonalSection = PersonalSection()
    clusters: ClustersSection = ClustersSection()
    evaluation: EvaluationSection = EvaluationSection()
    privacy: PrivacySection = PrivacySection()
    masking: MaskingSection = MaskingSection()
    homomorphic: HomomorphicSection = HomomorphicSection()
    credits: CreditsSection = CreditsSection()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if reason := contradiction(self):
            raise ValueError(reason)
        return self

    @property
    def reveals_late(self) -> bool:
        """Tell whether bytes are published only after submissions have closed."""
        return self.timing.reveal_seconds > 0

    @property
    def is_batched(self) -> bool:
        """Tell whether updates and attestations may be carried with others."""
        return self.module.name == "batched"

    @property
    def is_masked(self) -> bool:
        """Tell whether updates are masked, so that nothing but their sum is ever known."""
        return self.module.name == "masked"

    @property
    def is_encrypted(self) -> bool:
        """Tell whether updates are encrypted, so that only their sum is ever decrypted."""
        return self.homomorphic.scheme != "none"

    @property
    def masking_times(self) -> MaskingTimes | None:
        """Return what the module holds of the stages of a masked run; None in another."""
        return self.masking.times if self.is_masked else None

    @property
    def batch_seconds(self) -> int:
        """Return how long a batch waits for updates, from the attempt's start."""
        return self.module.batch_seconds or self.timing.collect_seconds // 2

    def stored_size_bytes(self, content_size_bytes: int) -> int:
        """Bound the blob that an update or a state becomes: longer than itself where it is sealed.

        Args:
            content_size_bytes: At most so much is to be stored.
        """
        if not self.privacy.sealed:
            return content_size_bytes
        return sealed_size_bytes(content_size_bytes, self.cohort.maximum_sites)

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
            target_updates=cohort.target_updates,
            straggler_percent=timing.straggler_percent,
            maximum_examples=self.update.maximum_examples,
            credits_per_round=self.credits.per_round,
        )
