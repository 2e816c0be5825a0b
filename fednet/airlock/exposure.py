"""What was measured of an update against the data that it comes from, and who measures it.

The figures are made where the data is, by whoever can read it; here they are
only values. They stay at the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np

from fednet.airlock.policy import AirlockPolicy
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray


@dataclass(frozen=True, slots=True)
class RecordMatch:
    """How like single records an update is."""

    likeness: float
    """Largest absolute cosine between a stretch of it and a record, 0 to 1."""
    chance: float
    """Probability that records which nobody has come as close."""
    influence: float
    """Largest share of a first layer's change that one record explains; 0 if there is no such
    layer."""
    stretches: int
    """Stretches that were compared; 0 if nothing in the update is as long as a record."""
    left_out: int = 0
    """Stretches that would have taken too long."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of single examples, before and after an update."""

    members_before: FloatArray
    """Of examples that were trained on."""
    members_after: FloatArray
    others_before: FloatArray
    """Of records of the same kind that were not."""
    others_after: FloatArray


@dataclass(frozen=True, slots=True)
class Exposure:
    """Everything that was measured; what was not is left out."""

    examples: int
    """Examples that were trained on."""
    class_counts: Mapping[int, int] = field(default_factory=dict)
    """By class; empty if labels are no classes, or nobody counted."""
    losses: Losses | None = None
    gradients: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Length of each example's gradient at the model that training started from."""
    match: RecordMatch | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """An update as it would leave, and where it comes from."""

    plan: Plan
    base_state_path: Path
    """State that training started from."""
    update: Mapping[str, FloatArray]
    """Values that the file decodes to, by the state's names."""
    part: int
    """Part of the state that they change."""
    steps: int
    """Optimiser steps that were taken."""
    kept: Mapping[str, FloatArray] = field(default_factory=dict)
    """What training left at the site: its personal tensors, for example."""


class ProbePort(Protocol):
    """Measure what a policy asks for, where the data is."""

    def measure(self, policy: AirlockPolicy, trace: Trace, halt: Event) -> Exposure:
        """Measure an update.

        Args:
            policy: Names the bounds; what has none need not be measured.
            trace: The update.
            halt: Set, by another thread, when nobody needs the figures any more; measuring
                may then end with any error.

        Raises:
            TrainingError: The data or the model does not allow it.
            TaskError: The task's code broke a rule.
        """
        ...
