"""Train in this very process, without walls: for virtual sites on records of one's own.

A rehearsal runs a researcher's own task on records that are no secret from the
researcher, so that the walls of a site would keep nothing from anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.learning import wire
from fednet.learning.service import Service
from fednet.learning.source import TaskSource
from fednet.learning.task import Task
from fednet.learning.trainer import Trainer


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
    ) -> tuple[wire.Message, bytes]:
        payload = b"" if tensors is None else encode_tensors(tensors, {})
        return self._service.answer(request, payload)
