"""The one training in flight: begun aside, stopped, replaced, failed."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fednet.domain.identity import Commitment
from fednet.errors import TrainingError
from fednet.node.desk import Desk, Trained, aside, at_once
from fednet.node.places import TrainingOrder
from fednet.node.view import Training
from tests.unit.node.views import attempt_key

ORDER = TrainingOrder(attempt_key(), Commitment.of(b"state"))
LATER = TrainingOrder(attempt_key(2), Commitment.of(b"state"))
PATIENCE_SECONDS = 20.0


def done(name: str = "") -> Trained:
    result: Any = name
    return Trained(result, result, Path("state"))


class Slow:
    """Train until told to go on, or to stop."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.stopped = Event(), Event(), Event()

    def __call__(self, halt: Event) -> Trained:
        self.begun.set()
        while not self.go_on.wait(0.005):
            if halt.is_set():
                self.stopped.set()
                raise TrainingError("halted", subject="round 1")
        return done("slow")


def test_a_training_aside_is_told_of_when_it_is_over() -> None:
    rung, slow = Event(), Slow()
    desk = Desk(aside, rung.set)
    assert desk.training is None
    desk.begin(ORDER, slow)
    assert desk.training == Training(ORDER)
    assert not rung.is_set()
    slow.go_on.set()
    assert rung.wait(PATIENCE_SECONDS)
    assert desk.training == Training(ORDER, is_over=True)
    assert desk.trained() == desk.trained() == done("slow")


def test_a_cleared_training_is_halted_and_its_end_is_nobodys_business() -> None:
    rung, slow = Event(), Slow()
    desk = Desk(aside, rung.set)
    desk.begin(ORDER, slow)
    assert slow.begun.wait(PATIENCE_SECONDS)
    assert desk.clear() is None
    assert slow.stopped.wait(PATIENCE_SECONDS)
    assert rung.wait(PATIENCE_SECONDS)
    assert desk.training is None


def test_a_training_takes_the_place_of_the_one_before() -> None:
    rung, slow, other = Event(), Slow(), Slow()
    desk = Desk(aside, rung.set)
    desk.begin(ORDER, slow)
    desk.begin(LATER, other)
    assert slow.stopped.wait(PATIENCE_SECONDS)
    assert desk.training == Training(LATER)
    desk.clear()


@pytest.mark.parametrize("error", [TrainingError("no", subject="loss"), RuntimeError("a fault")])
def test_a_failure_is_handed_over_when_the_training_is_cleared(error: Exception) -> None:
    def fail(halt: Event) -> Trained:
        raise error

    desk = Desk(at_once, lambda: None)
    desk.begin(ORDER, fail)
    assert desk.training == Training(ORDER, is_over=True, failed=True)
    with pytest.raises(RuntimeError, match="nothing is trained"):
        desk.trained()
    assert desk.clear() is error
    assert desk.clear() is None
