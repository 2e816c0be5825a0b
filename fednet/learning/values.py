"""What a node and its visiting task say to each other, as plain values; no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fednet.domain import canonical
from fednet.domain.privacy import NoisySteps
from fednet.domain.sections import PersonalSection, PrivacySection
from fednet.domain.tensors import FloatArray, Layout


@dataclass(frozen=True, slots=True)
class Limits:
    """Bound what a visiting task may use up."""

    memory_bytes: int = 4 << 30
    """Private memory, and the resident size as the parent sees it."""
    start_seconds: float = 60.0
    request_seconds: float = 600.0
    """Wall-clock time of one request."""
    cpu_seconds: int = 24 * 3600
    """Processor time of the process over its whole life."""
    scratch_bytes: int = 1 << 30
    threads: int = 64
    tensors_bytes: int = 1 << 30
    """Largest model or update accepted from the task."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Describe a site's data and the task's model; stays inside the site."""

    layout: Layout
    examples: int
    class_counts: Mapping[int, int] = field(default_factory=dict)
    """Empty when the labels are not classes."""


@dataclass(frozen=True, slots=True)
class LocalTerms:
    """Say what local training needs besides a base model and a plan's section on training."""

    travelling: tuple[str, ...] = ()
    """Patterns of the tensors that are trained together; empty: all that are shared."""
    personal: tuple[str, ...] = ()
    """Patterns of the tensors that the base lacks, because each site has its own."""
    beside: PersonalSection = field(default_factory=PersonalSection)
    """The model of the site's own that is trained beside the global one."""
    control: Mapping[str, FloatArray] = field(default_factory=dict)
    """SCAFFOLD's global control variate, by the model's names."""
    kept: Mapping[str, FloatArray] = field(default_factory=dict)
    """What earlier training left at this site; empty at the start, or where it was lost."""
    metric: str = ""
    """Metric of the base model that is published; empty: none."""
    privacy: PrivacySection = field(default_factory=PrivacySection)
    """What noise hides single records; none unless a plan says so."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Hand over what local training made of a base model."""

    update: dict[str, FloatArray]
    """New minus base of the tensors that travel, float32, sorted by name."""
    examples: int
    loss: float
    """Mean over the last epoch's examples."""
    metrics: dict[str, float]
    """Of the new local model on the site's own data; stays at the site."""
    steps: int = 0
    """Optimiser steps that were taken."""
    control: dict[str, FloatArray] = field(default_factory=dict)
    """New minus old control variate of the site, with SCAFFOLD."""
    kept: dict[str, FloatArray] = field(default_factory=dict)
    """What the next training of this site starts from; never leaves the site."""
    published: dict[str, float] = field(default_factory=dict)
    """The metric that was asked for, of the base model on the site's own data."""
    evaluated: int = 0
    """Examples that the published metric rests on."""
    noise: NoisySteps | None = None
    """What hides single records in the update; None where nothing does."""


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """Say what to measure of an update."""

    losses: bool = False
    """Of members and of held-out records, before and after."""
    gradients: bool = False
    """Their lengths, example by example."""
    records: bool = False
    """How like single records it is."""
    least_weight: float = 0.0
    """How long a stretch of the update must be to count there, as a share of the typical one."""
    seed: int = 0
    """Of sampling and shuffling."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like single records an update is."""

    likeness: float
    """Largest absolute cosine between a stretch and a row, 0 to 1."""
    chance: float
    """Probability that rows which nobody has come as close; an extrapolation below 1/1000."""
    shuffled: float
    """What the closest of as many shuffled rows comes to."""
    influence: float
    """Largest share of a tensor's change, in whitened energy, that one row explains."""
    stretches: int
    """Stretches of the update that were compared; 0 if nothing in it is as long as a row."""
    left_out: int
    """Stretches that would have taken too long."""


@dataclass(frozen=True, slots=True)
class Probed:
    """Hand over what was measured of an update; stays inside the site."""

    examples: int
    losses: Mapping[str, FloatArray] = field(default_factory=dict)
    """By members_before, members_after, others_before and others_after; empty if not measured."""
    gradients: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Lengths; empty if not measured."""
    likeness: Likeness | None = None


def derive_seed(*parts: str | int | bytes) -> int:
    """Derive a seed of 63 bits from whatever names a piece of work.

    For local training that is the deployment, run, round, attempt and site, so
    that a repeated round repeats its bytes.
    """
    named = [part.hex() if isinstance(part, bytes) else part for part in parts]
    digest = hashlib.sha256(b"fednet seed\n" + canonical.encode(named)).digest()
    return int.from_bytes(digest[:8], "big") >> 1
