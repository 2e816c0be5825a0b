"""A task at work in a process of its own, on named datasets; the node's end of it.

A visitor process is kept for as long as the visit lasts, because importing torch
costs a second or two, and is started again by the next request after it has
ended, whatever ended it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event, Lock
from typing import Self

import numpy as np

from fednet.domain.tensors import FloatArray, decode_tensors, encode_tensors
from fednet.errors import DataError, FednetError, MalformedBlobError, TaskError, TrainingError
from fednet.learning import wire
from fednet.learning.sandbox import Sandbox
from fednet.learning.source import TaskSource
from fednet.learning.values import Limits
from fednet.learning.walls.report import Wall, WallName

_ERRORS: dict[object, type[FednetError]] = {
    "DataError": DataError,
    "TrainingError": TrainingError,
    "TaskError": TaskError,
}


class Visit:
    """Run one task behind walls, for one trainer or for several that take turns.

    Args:
        source: Where the task's code comes from.
        datasets: Files or folders that the task may read, by the names that requests use.
        limits: What the task may use up.
        without_walls: Essential walls that are accepted to be missing.
        folder: An existing folder for temporary files; the system's unless given.
    """

    def __init__(
        self,
        source: TaskSource,
        datasets: Mapping[str, Path],
        limits: Limits | None = None,
        without_walls: Collection[WallName] = (),
        folder: Path | None = None,
    ) -> None:
        self.source = source
        self.datasets = {name: path.absolute() for name, path in datasets.items()}
        self._limits = limits or Limits()
        self._without_walls = tuple(without_walls)
        self._folder = folder
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._sandbox: Sandbox | None = None
        self._turn = Lock()

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
        """Start the task's process unless it runs; requests do so by themselves.

        Raises:
            SettingsError: This machine lacks an essential wall.
            TaskError: The task cannot be imported.
        """
        with self._turn:
            self._running()

    def close(self) -> None:
        """End the task's process and remove its files."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def ask(
        self,
        request: wire.Message,
        tensors: Mapping[str, FloatArray] | None = None,
        halt: Event | None = None,
    ) -> tuple[wire.Message, dict[str, FloatArray]]:
        """Put a request to the task; return the answer and its arrays, which are finite.

        Args:
            request: What is asked.
            tensors: What goes with it.
            halt: Ends the task's process, with its work undone, soon after it is set.

        Raises:
            DataError: The task cannot use its data.
            TaskError: The task failed, was halted, or ran into a wall or a limit.
            TrainingError: Training did not end in finite numbers.
            SettingsError: It had to be started, and this machine lacks an essential wall.
        """
        payload = b"" if tensors is None else encode_tensors(tensors, {})
        with self._turn:
            answer, reply = self._running().exchange(
                request, payload, self._limits.request_seconds, halt
            )
        _raise_fault(answer)
        return answer, _read_tensors(reply) if reply else {}

    def _running(self) -> Sandbox:
        return self._sandbox if self._sandbox and self._sandbox.is_open else self._start()

    def _start(self) -> Sandbox:
        self.close()
        readable = list(self.datasets.values())
        if not self.source.is_built_in:
            self._copy = _write_copy(self.source, self._folder)
            readable.append(Path(self._copy.name))
        self._sandbox = Sandbox(readable, self._limits, self._without_walls, self._folder)
        try:
            self._sandbox.open()
            answer, _ = self._sandbox.exchange(self._opening(), b"", self._limits.start_seconds)
            _raise_fault(answer)
        except BaseException:
            self.close()
            raise
        return self._sandbox

    def _opening(self) -> wire.Message:
        module = self.source.module
        return {
            "module": f"fednet.learning.tasks.{module}" if self.source.is_built_in else module,
            "class": self.source.class_name,
            "source": None if self._copy is None else self._copy.name,
            "datasets": {name: str(path) for name, path in self.datasets.items()},
        }


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
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TrainingError("not finite", subject=wire.plain_text(name))
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
