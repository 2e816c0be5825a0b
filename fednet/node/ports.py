"""What a node asks of the site it works for: training, and proof of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from fednet.domain.identity import Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.privacy import NoisySteps
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Place


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of local training."""

    arrays: Mapping[str, FloatArray]
    """The difference new - base of what travels, float32, by the state's tensor names."""
    examples: int
    """Examples that were trained on."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Shown to the site alone; never published."""
    steps: int = 0
    """Optimiser steps that were taken."""
    published_metrics: Mapping[str, str] = field(default_factory=dict)
    """What the base model reaches here, as decimal text: the one metric the plan asks for."""
    evaluated: int = 0
    """Examples that the published metric rests on."""
    kept: Mapping[str, FloatArray] = field(default_factory=dict)
    """What the site's next training starts from; never leaves the site."""
    noise: NoisySteps | None = None
    """What hides single records in the arrays, and has to be paid for; None where nothing does."""


class TrainerPort(Protocol):
    """Train the plan's task on the site's private data."""

    def digest(self, plan: Plan) -> Commitment:
        """Return the digest of this site's own code for the plan's task.

        Raises:
            TaskError: This site has no such task.
        """
        ...

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        """Train on the state in the file.

        Args:
            plan: The run's plan.
            base_state_path: The last final state.
            place: Attempt that the update is for.
            site: Who trains.
            out_dir: Exists, and is the trainer's to fill.
            kept: What this site's last included training left; empty if it left nothing.
            part: Which cluster's model to train; None chooses that of the lowest loss here.
            halt: Set, by another thread, when nobody needs the result any more; training
                may then end with any error.

        Raises:
            TrainingError: The data or the model does not allow it.
            TaskError: The task's code broke a rule.
        """
        ...


class DataPort(Protocol):
    """Commit to the private data as it is now."""

    def commitment(self) -> Commitment:
        """Return SHA-256 over the site's secret salt and the data's bytes.

        Raises:
            DataError: The data or the salt cannot be read.
        """
        ...
