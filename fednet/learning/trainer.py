"""What a node asks of a task: describe the data, make a model, train, evaluate.

This is the node's side. It imports no torch and runs none of the task's code;
a `Sandbox` holds that. A child is kept for as long as the trainer is open,
because importing torch costs a second or two, and is started again by the next
request after it has ended, whatever ended it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, Self

import numpy as np

from fednet.domain.identity import Commitment
from fednet.domain.sections import TrainingSection
from fednet.domain.tensors import (
    FloatArray,
    Layout,
    decode_tensors,
    encode_tensors,
    require_same_layout,
)
from fednet.errors import (
    DataError,
    FednetError,
    MalformedBlobError,
    ShapeMismatchError,
    TaskError,
    TrainingError,
)
from fednet.learning import groups, wire
from fednet.learning.sandbox import Sandbox
from fednet.learning.source import TaskSource, find_task
from fednet.learning.values import Inspection, Limits, LocalTerms, TrainResult
from fednet.learning.walls.report import Wall, WallName

_ERRORS: dict[object, type[FednetError]] = {
    "DataError": DataError,
    "TrainingError": TrainingError,
    "TaskError": TaskError,
}
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
        self._source = find_task(task) if isinstance(task, str) else task
        self._limits = limits or Limits()
        self._without_walls = tuple(without_walls)
        self._folder = folder
        given: dict[DatasetName, Path | None] = {"private": dataset, "held_out": held_out}
        self._datasets = {name: path.absolute() for name, path in given.items() if path is not None}
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._sandbox: Sandbox | None = None

    @property
    def digest(self) -> Commitment:
        """Commit to the source that this trainer runs."""
        return self._source.digest

    @property
    def walls(self) -> tuple[Wall, ...]:
        """The walls around the running task; empty before it starts."""
        return self._sandbox.walls if self._sandbox else ()

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
        self.close()
        readable = list(self._datasets.values())
        if not self._source.is_built_in:
            self._copy = _write_copy(self._source, self._folder)
            readable.append(Path(self._copy.name))
        self._sandbox = Sandbox(readable, self._limits, self._without_walls, self._folder)
        try:
            self._sandbox.open()
            answer, _ = self._sandbox.exchange(self._opening(), b"", self._limits.start_seconds)
            _raise_fault(answer)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the task's process and remove its files."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def inspect(self) -> Inspection:
        """Describe the private data and the model.

        Raises:
            DataError: The data cannot be used.
            TaskError: The task failed.
        """
        self._require("private")
        answer, arrays = self._ask({"do": "inspect"})
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
        return _some(self._ask({"do": "initial", "seed": seed})[1])

    def train(
        self,
        base: Mapping[str, FloatArray],
        settings: TrainingSection,
        seed: int,
        terms: LocalTerms = _ALL_SHARED,
    ) -> TrainResult:
        """Train from a base model on the private data.

        Args:
            base: The global model, float32, without personal tensors.
            settings: How to train, from the plan.
            seed: From `derive_seed`; the same seed gives the same bytes.
            terms: What else the plan says, and what this site kept.

        Raises:
            TrainingError: The loss or the update is not finite, or the base does not fit.
            TaskError: The task failed or ran into a wall or limit.
        """
        self._require("private")
        request: wire.Message = {
            "do": "train",
            "seed": seed,
            "training": settings.model_dump(),
            "travelling": list(terms.travelling),
            "personal": list(terms.personal),
            "beside": terms.beside.model_dump(),
            "metric": terms.metric,
        }
        given = {groups.MODEL: base, groups.CONTROL: terms.control, groups.KEPT: terms.kept}
        answer, arrays = self._ask(request, groups.join(given))
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
        self._require("private")
        request: wire.Message = {
            "do": "loss",
            "training": settings.model_dump(),
            "personal": list(terms.personal),
        }
        given = {groups.MODEL: base, groups.KEPT: terms.kept}
        return wire.number(self._ask(request, groups.join(given))[0], "loss")

    def evaluate(
        self, model: Mapping[str, FloatArray], on: DatasetName = "held_out"
    ) -> dict[str, float]:
        """Judge a model by the task's metrics.

        Raises:
            DataError: The data cannot be used.
            TaskError: The task failed.
        """
        self._require(on)
        return wire.numbers(self._ask({"do": "evaluate", "dataset": on}, model)[0], "metrics")

    def _require(self, name: DatasetName) -> None:
        if name not in self._datasets:
            raise DataError("no such data was given", subject=name)

    def _opening(self) -> wire.Message:
        module = self._source.module
        return {
            "module": f"fednet.learning.tasks.{module}" if self._source.is_built_in else module,
            "class": self._source.class_name,
            "source": None if self._copy is None else self._copy.name,
            "datasets": {name: str(path) for name, path in self._datasets.items()},
        }

    def _ask(
        self, request: wire.Message, tensors: Mapping[str, FloatArray] | None = None
    ) -> tuple[wire.Message, dict[str, FloatArray]]:
        """Put a request to the task; return the answer and its arrays, which are finite."""
        if self._sandbox is None or not self._sandbox.is_open:
            self.start()
        sandbox = self._sandbox
        if sandbox is None:
            raise RuntimeError("the task did not start")
        payload = b"" if tensors is None else encode_tensors(tensors, {})
        answer, reply = sandbox.exchange(request, payload, self._limits.request_seconds)
        _raise_fault(answer)
        return answer, _read_tensors(reply) if reply else {}


def _write_copy(source: TaskSource, parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    """Write exactly the digested bytes where the task may import them."""
    folder = tempfile.TemporaryDirectory(
        prefix="fednet-source-", dir=parent, ignore_cleanup_errors=True
    )
    for name, data in source.files:
        path = Path(folder.name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _read_tensors(payload: bytes) -> dict[str, FloatArray]:
    try:
        arrays = decode_tensors(payload, "answer of the task")[0]
    except MalformedBlobError as exc:
        raise TaskError("the task answered with something else", actual=exc) from exc
    require_finite(arrays)
    return arrays


def require_finite(arrays: Mapping[str, FloatArray]) -> None:
    """Raise unless every value is a finite number.

    Raises:
        TrainingError: One is not.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TrainingError("not finite", subject=wire.plain_text(name))


def _some(arrays: dict[str, FloatArray]) -> dict[str, FloatArray]:
    if not arrays:
        raise TaskError("the task answered without a model")
    return arrays


def _raise_fault(answer: wire.Message) -> None:
    if "error" not in answer:
        return
    texts = {
        key: None if answer.get(key) is None else wire.plain_text(answer[key])
        for key in ("message", "subject", "expected", "actual", "hint")
    }
    raise _ERRORS.get(answer["error"], TaskError)(
        texts["message"] or "the task failed",
        subject=texts["subject"] or "",
        expected=texts["expected"],
        actual=texts["actual"],
        hint=texts["hint"] or "",
    )
