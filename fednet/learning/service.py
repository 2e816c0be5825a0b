"""Answer the node's requests with a task; the inside of the visitor.

Whatever the task's code raises is turned into a `TaskError` here, so that the
node always gets an answer it can show to a site's administrator.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self, cast

import torch

from fednet.domain.sections import PersonalSection, PrivacySection, TrainingSection
from fednet.domain.tensors import FloatArray, decode_tensors, encode_tensors
from fednet.errors import DataError, FednetError, TaskError
from fednet.learning import choosing, groups, local, probing, training, wire
from fednet.learning.state import read_state, write_state
from fednet.learning.task import Dataset, Task
from fednet.learning.values import LocalTerms, ProbeOrder

Arrays = Mapping[str, FloatArray]
_Answer = tuple[wire.Message, Arrays]
_WALL_HINT = (
    "a task may read its dataset and write its scratch folder; it has no network, no other "
    "files and no other processes"
)


class Service:
    """Hold a task and the datasets it has loaded."""

    def __init__(self, task: Task, datasets: dict[str, Path]) -> None:
        self._task = task
        self._paths = datasets
        self._loaded: dict[str, Dataset] = {}

    @classmethod
    def start(cls, opening: wire.Message) -> Self:
        """Import the task named by the node's second frame.

        Raises:
            TaskError: It cannot be imported or made.
        """
        training.make_deterministic()
        name, module = str(opening["class"]), str(opening["module"])
        if opening["source"] is not None:
            sys.path.insert(0, str(opening["source"]))
        with _blame("import"):
            found = getattr(importlib.import_module(module), name, None)
            if not (isinstance(found, type) and issubclass(found, Task)):
                raise TaskError(
                    "not a task",
                    subject=f"{module}:{name}",
                    expected="a subclass of fednet.learning.Task",
                )
            task = found()
        paths = cast("dict[str, str]", opening["datasets"])
        return cls(task, {key: Path(path) for key, path in paths.items()})

    def serve(self, request: wire.Message, payload: bytes) -> tuple[wire.Message, bytes]:
        """Do what one request asks for, arrays in their byte form."""
        given = decode_tensors(payload, "request")[0] if payload else {}
        message, arrays = self.answer(request, given)
        return message, encode_tensors(arrays, {}) if arrays else b""

    def answer(self, request: wire.Message, arrays: Arrays) -> _Answer:
        """Do what one request asks for; the arrays of the answer are new ones.

        Raises:
            TaskError: The task failed or broke a rule.
            TrainingError: Training did not end in a finite model.
        """
        actions: dict[object, Callable[[wire.Message, Arrays], _Answer]] = {
            "inspect": self._inspect,
            "initial": self._initial,
            "train": self._train,
            "loss": self._loss,
            "evaluate": self._evaluate,
            "probe": self._probe,
        }
        with _blame(str(request["do"])):
            return actions[request["do"]](request, arrays)

    def _inspect(self, request: wire.Message, arrays: Arrays) -> _Answer:
        data = self._data(str(request["dataset"]))
        labels = data.labels
        counts: dict[str, int] = {}
        if labels.dtype in (torch.int64, torch.int32, torch.uint8, torch.bool) and labels.ndim == 1:
            values, numbers = torch.unique(labels.long(), return_counts=True)
            counts = {str(int(v)): int(n) for v, n in zip(values, numbers, strict=True)}
        if len(counts) > 10_000:
            counts = {}
        state = read_state(training.build_model(self._task, 0))
        return {"examples": len(data), "classes": counts}, state

    def _initial(self, request: wire.Message, arrays: Arrays) -> _Answer:
        model = training.build_model(self._task, wire.count(request, "seed"))
        return {}, read_state(model)

    def _train(self, request: wire.Message, arrays: Arrays) -> _Answer:
        settings = TrainingSection.model_validate(request["training"])
        terms = LocalTerms(
            travelling=wire.texts(request, "travelling"),
            personal=wire.texts(request, "personal"),
            beside=PersonalSection.model_validate(request["beside"]),
            control=groups.take(arrays, groups.CONTROL),
            kept=groups.take(arrays, groups.KEPT),
            metric=str(request["metric"]),
            privacy=PrivacySection.model_validate(request["privacy"]),
        )
        base = groups.take(arrays, groups.MODEL)
        data, seed = self._data(str(request["dataset"])), wire.count(request, "seed")
        result = local.work(self._task, data, base, settings, seed, terms)
        message: wire.Message = {
            "examples": result.examples,
            "loss": wire.real_text(result.loss, "loss"),
            "metrics": wire.real_texts(result.metrics),
            "steps": result.steps,
            "published": wire.real_texts(result.published),
            "evaluated": result.evaluated,
        }
        parts = {
            groups.MODEL: result.update,
            groups.CONTROL: result.control,
            groups.KEPT: result.kept,
        }
        return message, groups.join(parts)

    def _loss(self, request: wire.Message, arrays: Arrays) -> _Answer:
        settings = TrainingSection.model_validate(request["training"])
        terms = LocalTerms(
            personal=wire.texts(request, "personal"), kept=groups.take(arrays, groups.KEPT)
        )
        base = groups.take(arrays, groups.MODEL)
        data = self._data(str(request["dataset"]))
        found = choosing.mean_loss(self._task, data, base, settings, terms)
        return {"loss": wire.real_text(found, "loss")}, {}

    def _evaluate(self, request: wire.Message, arrays: Arrays) -> _Answer:
        data = self._data(str(request["dataset"]))
        model = training.build_model(self._task, 0)
        write_state(model, arrays)
        metrics = training.judge(self._task, model, data)
        return {"metrics": wire.real_texts(metrics)}, {}

    def _probe(self, request: wire.Message, arrays: Arrays) -> _Answer:
        terms = LocalTerms(
            personal=wire.texts(request, "personal"),
            control=groups.take(arrays, groups.CONTROL),
            kept=groups.take(arrays, groups.KEPT),
        )
        held_out = str(request["held_out"])
        order = ProbeOrder(
            request["losses"] is True,
            request["gradients"] is True,
            request["records"] is True,
            wire.number(request, "least_weight"),
            wire.count(request, "seed"),
        )
        found = probing.probe(
            self._task,
            self._data(str(request["dataset"])),
            self._data(held_out) if held_out else None,
            groups.take(arrays, groups.MODEL),
            groups.take(arrays, groups.UPDATE),
            TrainingSection.model_validate(request["training"]),
            terms,
            order,
        )
        message: wire.Message = {"examples": found.examples}
        if found.likeness is not None:
            message["likeness"] = wire.real_texts(
                {name: getattr(found.likeness, name) for name in wire.LIKENESS}
            )
            message["stretches"] = found.likeness.stretches
            message["left_out"] = found.likeness.left_out
        given = dict(found.losses) | ({"gradients": found.gradients} if order.gradients else {})
        return message, given

    def _data(self, key: str) -> Dataset:
        if key not in self._loaded:
            with _blame("load"):
                self._loaded[key] = _checked(self._task.load(self._paths[key]))
        return self._loaded[key]


def _checked(data: Dataset) -> Dataset:
    tensors = (getattr(data, "features", None), getattr(data, "labels", None))
    if not all(isinstance(tensor, torch.Tensor) and tensor.ndim > 0 for tensor in tensors):
        raise TaskError("load() gave something else", expected="a Dataset of two tensors")
    if len(data.features) != len(data.labels):
        raise DataError(
            "features and labels differ in number",
            expected=len(data.features),
            actual=len(data.labels),
        )
    if len(data.features) == 0:
        raise DataError("the dataset holds no examples")
    for name, tensor in (("features", data.features), ("labels", data.labels)):
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DataError("NaN or infinite values", subject=name, expected="finite numbers")
    return data


@contextmanager
def _blame(step: str) -> Iterator[None]:
    """Turn whatever a task raises into an error of ours."""
    try:
        yield
    except FednetError:
        raise
    except PermissionError as exc:
        raise TaskError(
            "the task reached for something outside its walls",
            subject=step,
            actual=f"PermissionError: {exc}",
            hint=_WALL_HINT,
        ) from exc
    except MemoryError as exc:
        raise TaskError(
            "the task asked for more memory than it may use",
            subject=step,
            hint="raise the memory limit in the node's settings if this task is trusted with more",
        ) from exc
    except (Exception, SystemExit, KeyboardInterrupt) as exc:
        if "can't allocate memory" in str(exc):
            raise TaskError("the task asked for more memory than it may use", subject=step) from exc
        raise TaskError(
            "the task's code failed", subject=step, actual=f"{type(exc).__name__}: {exc}"
        ) from exc
