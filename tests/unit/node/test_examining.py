"""Looking into an update beside all else: halted, replaced, failed, and never judged too early."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.airlock import Airlock, Exposure, Passage, Verdict, policy_of
from fednet.codec import write_update
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout
from fednet.domain.update import Manifest
from fednet.errors import TaskError
from fednet.node.contribution import Wrapped
from fednet.node.desk import Desk, Trained, aside
from fednet.node.examining import Bench
from fednet.node.ports import TrainingResult
from fednet.node.view import Examination
from tests.unit.audit.world import World, work_of
from tests.unit.node.views import attempt_key

FIRST, SECOND = attempt_key(), attempt_key(1, 2)
PATIENCE_SECONDS = 20.0
POLICY = policy_of({"content": {"minimum_effective_examples": 5}}, "policy")


class Probe:
    """Measure once it may go on; note what it was shown, and whether it was halted."""

    def __init__(self) -> None:
        self.go_on, self.halted = Event(), Event()
        self.update: dict[str, FloatArray] = {}
        self.failure: Exception | None = None

    def measure(self, policy: Any, trace: Any, halt: Event) -> Exposure:
        self.update = dict(trace.update)
        while not self.go_on.wait(0.005):
            if halt.is_set():
                self.halted.set()
                raise TaskError("halted", subject="probe")
        if self.failure is not None:
            raise self.failure
        return Exposure(10, gradients=np.ones(10, np.float32))


class Place:
    """A bench with an update on it."""

    def __init__(self, folder: Path, probe: Probe | None) -> None:
        self.world, self.rung = World(folder), Event()
        tools: Any = SimpleNamespace(airlock=Airlock(POLICY), probe=probe, training=Lock())
        terms: Any = SimpleNamespace(plan=self.world.plan)
        self.bench = Bench(tools, terms, Desk(aside, self.rung.set))
        self.arrays = work_of(3, 1)
        shape = StateShape.plain(Layout.of(self.arrays))
        result = TrainingResult(self.arrays, 10, steps=2)
        self.trained = Trained(shape, result, self.world.base_path)

    def begin(self, key: Any = FIRST) -> None:
        manifest = Manifest(self.world.place, SiteId(3), self.world.base, 10, Digest(bytes(32)))
        path = self.world.folder / "update-out"
        write_update(path, self.arrays, manifest, self.world.plan.update)
        wrapped = Wrapped(key, path, path, Commitment.of(path.read_bytes()), 10, Passage())
        self.bench.begin(wrapped, self.trained)

    def wait(self) -> None:
        assert self.rung.wait(PATIENCE_SECONDS)
        self.rung.clear()


def test_the_file_is_shown_as_members_will_read_it_and_judged_when_it_is_over(
    tmp_path: Path,
) -> None:
    probe = Probe()
    place = Place(tmp_path, probe)
    assert place.bench.examination is None
    place.begin()
    assert place.bench.examination == Examination(FIRST)
    with pytest.raises(RuntimeError):
        place.bench.take(FIRST)
    probe.go_on.set()
    place.wait()
    assert place.bench.examination == Examination(FIRST, is_over=True)
    with pytest.raises(RuntimeError):
        place.bench.take(SECOND)
    wrapped, passage = place.bench.take(FIRST)
    assert wrapped.key == FIRST
    assert passage.figure("content.minimum_effective_examples") == 10.0
    assert place.bench.examination is None
    for name, array in place.arrays.items():
        assert probe.update[name].tobytes() == array.tobytes()


def test_an_examination_that_nobody_needs_is_halted(tmp_path: Path) -> None:
    probe = Probe()
    place = Place(tmp_path, probe)
    place.begin()
    place.begin(SECOND)
    assert probe.halted.wait(PATIENCE_SECONDS)
    assert place.bench.examination == Examination(SECOND)
    place.bench.clear()
    assert place.bench.examination is None


def test_an_error_is_told_when_it_is_taken_and_nothing_passes_by_it(tmp_path: Path) -> None:
    probe = Probe()
    probe.failure = TaskError("the task failed", subject="probe")
    probe.go_on.set()
    place = Place(tmp_path, probe)
    place.begin()
    place.wait()
    with pytest.raises(TaskError, match="the task failed"):
        place.bench.take(FIRST)
    assert place.bench.examination is None


def test_what_nobody_measures_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    place.begin()
    place.wait()
    _, passage = place.bench.take(FIRST)
    assert passage.refusal is not None
    assert passage.refusal.verdict is Verdict.REFUSED
