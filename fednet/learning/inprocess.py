"""Train in this very process, without walls: for virtual sites on records of one's own.

A rehearsal runs a researcher's own task on records that are no secret from the
researcher, so that the walls of a site would keep nothing from anybody.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError
from fednet.learning import tasks, wire
from fednet.learning.service import Service
from fednet.learning.source import TaskSource
from fednet.learning.task import Task
from fednet.learning.trainer import Trainer, require_finite


class InProcessTrainer(Trainer):
    """A `Trainer` whose task runs beside it.

    Args:
        source: Where the task's code comes from; its digest goes into plans.
        task: The task itself, which several trainers may share.
        dataset: Records to train on; None when only models are made or judged.
        held_out: A common test set.
    """

    def __init__(
        self,
        source: TaskSource,
        task: Task,
        dataset: Path | None = None,
        *,
        held_out: Path | None = None,
    ) -> None:
        super().__init__(source, dataset, held_out=held_out)
        self._service = Service(task, {str(name): path for name, path in self._datasets.items()})

    def start(self) -> None:
        """Do nothing: the task runs here."""

    def _ask(
        self, request: wire.Message, tensors: Mapping[str, FloatArray] | None = None
    ) -> tuple[wire.Message, dict[str, FloatArray]]:
        answer, arrays = self._service.answer(request, tensors or {})
        require_finite(arrays)
        return answer, dict(arrays)


@contextmanager
def imported(source: TaskSource) -> Iterator[Task]:
    """Import a task into this process, from a copy of just the bytes that its digest covers.

    Its modules are gone afterwards, so that an edited file is read anew.

    Raises:
        TaskError: There is no such class in it, or its code failed.
    """
    if source.is_built_in:
        yield _made(f"{tasks.__name__}.{source.module}", source.class_name)
        return
    own = {Path(name).with_suffix("").as_posix().replace("/", ".") for name, _ in source.files}
    own |= {name.removesuffix(".__init__") for name in own}
    shadowed = {name: sys.modules.pop(name) for name in own & set(sys.modules)}
    with tempfile.TemporaryDirectory(prefix="fednet-source-") as folder:
        for name, data in source.files:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        try:
            yield _made(source.module, source.class_name)
        finally:
            sys.path.remove(folder)
            for name in own:
                sys.modules.pop(name, None)
            sys.modules.update(shadowed)


def _made(module: str, class_name: str) -> Task:
    subject = f"{module}:{class_name}"
    try:
        found = getattr(importlib.import_module(module), class_name, None)
        made = found() if isinstance(found, type) and issubclass(found, Task) else None
    except Exception as exc:
        raise TaskError(
            "the task's code failed", subject=subject, actual=f"{type(exc).__name__}: {exc}"
        ) from exc
    if made is None:
        raise TaskError("not a task", subject=subject, expected="a subclass of fednet.Task")
    return made
