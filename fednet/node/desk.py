"""Hold the one training of a site in a run, while it goes on aside and until its update is sent.

What is trained but not committed to yet stands in memory only: a node that is
killed then trains again, from the same seed where the attempt is the same, so
that nothing of it need be journalled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

from fednet.domain.shape import StateShape
from fednet.node.places import TrainingOrder
from fednet.node.ports import TrainingResult
from fednet.node.view import Training

Spawn = Callable[[Callable[[], None]], None]
"""Begins some work, which raises nothing; may return before it is done."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training, before it is wrapped for an attempt."""

    shape: StateShape
    """Of the states of the run."""
    result: TrainingResult


Work = Callable[[Event], Trained]
"""Trains, and gives up soon after the event is set."""


def aside(work: Callable[[], None]) -> None:
    """Begin work in a thread that no process waits for."""
    Thread(target=work, name="training", daemon=True).start()


def at_once(work: Callable[[], None]) -> None:
    """Do work here and now: for sites that somebody else steps through a run."""
    work()


@dataclass(slots=True)
class _Seat:
    """One training; written by whoever does the work, until it is over."""

    order: TrainingOrder
    halt: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    trained: Trained | None = None
    failure: BaseException | None = None


class Desk:
    """Keep a training by its order; belongs to one follower of a run.

    Args:
        spawn: How a training is begun.
        wake: Called, in whatever thread, when one is over.
    """

    def __init__(self, spawn: Spawn, wake: Callable[[], None]) -> None:
        self._spawn = spawn
        self._wake = wake
        self._seat: _Seat | None = None

    @property
    def training(self) -> Training | None:
        """The training that is under way or over; None if there is none."""
        seat = self._seat
        if seat is None:
            return None
        is_over = seat.over.is_set()
        return Training(seat.order, is_over, is_over and seat.failure is not None)

    def begin(self, order: TrainingOrder, work: Work) -> None:
        """Begin a training in place of whatever was here."""
        self.clear()
        seat = _Seat(order)
        self._seat = seat

        def train() -> None:
            try:
                seat.trained = work(seat.halt)
            except BaseException as exc:
                seat.failure = exc
            seat.over.set()
            self._wake()

        self._spawn(train)

    def trained(self) -> Trained:
        """Return what came of the training that is over."""
        if self._seat is None or self._seat.trained is None:
            raise RuntimeError("nothing is trained")
        return self._seat.trained

    def clear(self) -> BaseException | None:
        """Stop and forget the training; return why it failed, if it was over by then."""
        seat, self._seat = self._seat, None
        if seat is None:
            return None
        seat.halt.set()
        return seat.failure if seat.over.is_set() else None
