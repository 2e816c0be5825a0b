"""What a node asks of a task: describe the data, make a model, train, evaluate.

This is the node's side. It imports no torch and runs none of the task's code: a
`Visit` does that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event
from typing import Literal, Self

from fednet.domain.identity import Commitment
from fednet.domain.privacy import NoisySteps, noise_of_training
from fednet.domain.sections import PrivacySection, TrainingSection
from fednet.domain.tensors import FloatArray, Layout, require_same_layout
from fednet.errors import DataError, ShapeMismatchError, TaskError
from fednet.learning import groups, probes, wire
from fednet.learning.source import TaskSource, find_task
from fednet.learning.values import (
    Inspection,
    Limits,
    LocalTerms,
    Probed,
    ProbeOrder,
    TrainResult,
)
from fednet.learning.visit import Visit
from fednet.learning.walls.report import Wall, WallName

DatasetName = Literal["private", "held_out"]
_ALL_SHARED = LocalTerms()


class Trainer:
    """Run one task on one site's data, behind walls.

    Args:
        task: A reference (see `source`) or source found earlier.
        dataset: The site's private data; None when only a model is wanted.
        held_out: A common test set, when there is one.
        limits: What the task may use up.
        without_walls: Essential walls that this site accepts to be missing.
        folder: An existing folder for temporary files; the system's unless given.
            What a killed node leaves there may be deleted when it starts again.
    """

    def __init__(
        self,
        task: str | TaskSource,
        dataset: Path | None = None,
        *,
        held_out: Path | None = None,
        limits: Limits | None = None,
        without_walls: Collection[WallName] = (),
        folder: Path | None = None,
    ) -> None:
        source = find_task(task) if isinstance(task, str) else task
        given: dict[DatasetName, Path | None] = {"private": dataset, "held_out": held_out}
        datasets = {str(name): path for name, path in given.items() if path is not None}
        self._visit = Visit(source, datasets, limits, without_walls, folder)
        self._is_guest = False
        self._names: dict[DatasetName, str] = {name: name for name in given if name in datasets}

    @classmethod
    def joining(
        cls, visit: Visit, dataset: str | None = None, *, held_out: str | None = None
    ) -> Self:
        """Share a visit with other trainers; whoever began it ends it.

        Args:
            visit: A task at work.
            dataset: The visit's name of the data to train on.
            held_out: The visit's name of a common test set.
        """
        trainer = cls.__new__(cls)
        trainer._visit, trainer._is_guest = visit, True
        given: dict[DatasetName, str | None] = {"private": dataset, "held_out": held_out}
        trainer._names = {name: found for name, found in given.items() if found is not None}
        return trainer

    @property
    def digest(self) -> Commitment:
        """Commit to the source that this trainer runs."""
        return self._visit.source.digest

    @property
    def walls(self) -> tuple[Wall, ...]:
        """The walls around the running task; empty before it starts."""
        return self._visit.walls

    def __enter__(self) -> Self:
        """Start the task."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the task."""
        self.close()

    def start(self) -> None:
        """Start the task's process; requests do so by themselves when it does not run.

        Raises:
            SettingsError: This machine lacks an essential wall.
            TaskError: The task cannot be imported.
        """
        self._visit.start()

    def close(self) -> None:
        """End the task's process and remove its files, unless others share it."""
        if not self._is_guest:
            self._visit.close()

    def inspect(self) -> Inspection:
        """Describe the private data and the model.

        Raises:
            DataError: The data cannot be used.
            TaskError: The task failed.
        """
        request: wire.Message = {"do": "inspect", "dataset": self._named("private")}
        answer, arrays = self._visit.ask(request)
        layout = Layout.of(_some(arrays))
        classes = answer.get("classes")
        if not isinstance(classes, dict) or not all(key.isdecimal() for key in classes):
            raise TaskError("the task answered with something else", subject="classes")
        counts = {int(key): wire.count(classes, key) for key in classes}
        return Inspection(layout, wire.count(answer, "examples"), dict(sorted(counts.items())))

    def initial_model(self, seed: int) -> dict[str, FloatArray]:
        """Make the model a run starts from.

        Raises:
            TaskError: The task failed, or its model is not float32.
        """
        return _some(self._visit.ask({"do": "initial", "seed": seed})[1])

    def train(
        self,
        base: Mapping[str, FloatArray],
        settings: TrainingSection,
        seed: int,
        terms: LocalTerms = _ALL_SHARED,
        halt: Event | None = None,
    ) -> TrainResult:
        """Train from a base model on the private data.

        Args:
            base: The global model, float32, without personal tensors.
            settings: How to train, from the plan.
            seed: From `derive_seed`; the same seed gives the same bytes.
            terms: What else the plan says, and what this site kept.
            halt: Ends the task's process, with its work undone, soon after it is set.

        Raises:
            TrainingError: The loss or the update is not finite, or the base does not fit.
            TaskError: The task failed, was halted, or ran into a wall or limit.
        """
        request: wire.Message = {
            "do": "train",
            "dataset": self._named("private"),
            "seed": seed,
            "training": settings.model_dump(),
            "travelling": list(terms.travelling),
            "personal": list(terms.personal),
            "beside": terms.beside.model_dump(),
            "metric": terms.metric,
            "privacy": terms.privacy.model_dump(),
        }
        given = {groups.MODEL: base, groups.CONTROL: terms.control, groups.KEPT: terms.kept}
        answer, arrays = self._visit.ask(request, groups.join(given), halt)
        strange = [name for name in arrays if name.partition("/")[0] not in given]
        if strange:
            raise TaskError(
                "the task answered with tensors that nobody asked for",
                subject=wire.plain_text(strange[0]),
                expected=", ".join(given),
            )
        moved = groups.matching(terms.travelling, base) if terms.travelling else set(base)
        expected = {name: base[name] for name in moved}
        update, control = groups.take(arrays, groups.MODEL), groups.take(arrays, groups.CONTROL)
        try:
            require_same_layout(Layout.of(expected), Layout.of(update), "update")
            if settings.algorithm == "scaffold" or control:
                require_same_layout(Layout.of(terms.control), Layout.of(control), "control variate")
        except ShapeMismatchError as exc:
            raise TaskError("the update does not fit the model", actual=exc) from exc
        return TrainResult(
            update,
            wire.count(answer, "examples"),
            wire.number(answer, "loss"),
            wire.numbers(answer, "metrics"),
            wire.count(answer, "steps"),
            control,
            groups.take(arrays, groups.KEPT),
            wire.numbers(answer, "published"),
            wire.count(answer, "evaluated"),
            _noise(answer, settings, terms.privacy),
        )

    def loss(
        self, base: Mapping[str, FloatArray], settings: TrainingSection, terms: LocalTerms
    ) -> float:
        """Return a model's mean loss over the private data, without training it.

        Args:
            base: One of the global models, float32, without personal tensors.
            settings: The plan's section on training.
            terms: Names the personal tensors, and holds what this site kept.

        Raises:
            TrainingError: The loss is not finite, or the base does not fit.
            TaskError: The task failed or ran into a wall or limit.
        """
        request: wire.Message = {
            "do": "loss",
            "dataset": self._named("private"),
            "training": settings.model_dump(),
            "personal": list(terms.personal),
        }
        given = {groups.MODEL: base, groups.KEPT: terms.kept}
        return wire.number(self._visit.ask(request, groups.join(given))[0], "loss")

    def probe(
        self,
        base: Mapping[str, FloatArray],
        update: Mapping[str, FloatArray],
        settings: TrainingSection,
        terms: LocalTerms,
        order: ProbeOrder,
        halt: Event | None = None,
    ) -> Probed:
        """Measure what an update betrays of the private data.

        Args:
            base: The global model that training started from, without personal tensors.
            update: What would leave, by the model's names.
            settings: How it was trained, from the plan.
            terms: Names the personal tensors, and holds what training left here; its control
                variate is the change that would leave beside the update.
            order: What to measure; losses only where a held-out set was given.
            halt: Ends the task's process, with its work undone, soon after it is set.

        Raises:
            TrainingError: Base or update do not fit the task, or a loss is not finite.
            TaskError: The task failed, was halted, or ran into a wall or limit.
        """
        request: wire.Message = {
            "do": "probe",
            "dataset": self._named("private"),
            "held_out": self._names.get("held_out", ""),
            "training": settings.model_dump(),
            "personal": list(terms.personal),
            "losses": order.losses,
            "gradients": order.gradients,
            "records": order.records,
            "least_weight": wire.real_text(order.least_weight, "least_weight"),
            "seed": order.seed,
        }
        given = {
            groups.MODEL: base,
            groups.KEPT: terms.kept,
            groups.UPDATE: update,
            groups.CONTROL: terms.control,
        }
        return probes.read(*self._visit.ask(request, groups.join(given), halt))

    def evaluate(
        self, model: Mapping[str, FloatArray], on: DatasetName = "held_out"
    ) -> dict[str, float]:
        """Judge a model by the task's metrics.

        Raises:
            DataError: The data cannot be used.
            TaskError: The task failed.
        """
        request: wire.Message = {"do": "evaluate", "dataset": self._named(on)}
        return wire.numbers(self._visit.ask(request, model)[0], "metrics")

    def _named(self, name: DatasetName) -> str:
        if name not in self._names:
            raise DataError("no such data was given", subject=name)
        return self._names[name]


def _noise(
    answer: wire.Message, settings: TrainingSection, privacy: PrivacySection
) -> NoisySteps | None:
    """State what noise the plan put into an update, of as many examples as were trained on."""
    if not privacy.hides_records:
        return None
    expected = noise_of_training(settings, privacy, max(1, wire.count(answer, "examples")))
    if wire.count(answer, "steps") != expected.steps:
        raise TaskError(
            "the task took other steps than differential privacy accounts for",
            subject=f"{expected.examples} examples",
            expected=expected.steps,
            actual=answer["steps"],
        )
    return expected


def _some(arrays: dict[str, FloatArray]) -> dict[str, FloatArray]:
    if not arrays:
        raise TaskError("the task answered without a model")
    return arrays
