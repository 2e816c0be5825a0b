"""What the checks of one section of a plan against the others look at."""

from __future__ import annotations

from typing import Protocol

from fednet.domain.homomorphic_section import HomomorphicSection
from fednet.domain.masking_section import MaskingSection
from fednet.domain.sections import (
    AggregationSection,
    ClustersSection,
    CohortSection,
    CreditsSection,
    EvaluationSection,
    ModuleSection,
    PersonalSection,
    PrivacySection,
    ServerSection,
    StalenessSection,
    TimingSection,
    TrainingSection,
    UpdateSection,
)


class Sections(Protocol):
    """The part of a plan that is looked at."""

    @property
    def rounds(self) -> int: ...
    @property
    def training(self) -> TrainingSection: ...
    @property
    def cohort(self) -> CohortSection: ...
    @property
    def timing(self) -> TimingSection: ...
    @property
    def module(self) -> ModuleSection: ...
    @property
    def update(self) -> UpdateSection: ...
    @property
    def aggregation(self) -> AggregationSection: ...
    @property
    def staleness(self) -> StalenessSection: ...
    @property
    def server(self) -> ServerSection: ...
    @property
    def personal(self) -> PersonalSection: ...
    @property
    def clusters(self) -> ClustersSection: ...
    @property
    def evaluation(self) -> EvaluationSection: ...
    @property
    def privacy(self) -> PrivacySection: ...
    @property
    def masking(self) -> MaskingSection: ...
    @property
    def homomorphic(self) -> HomomorphicSection: ...
    @property
    def credits(self) -> CreditsSection: ...
