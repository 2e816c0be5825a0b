"""Hold the one training of a site in a run, while it goes on aside and until its update is sent.

What is trained but not committed to yet stands in memory only: a node that is
killed then trains again, from the same seed where the attempt is the same, so
that nothing of it need be journalled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Generic, TypeVar

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
    state_path: Path
    """State that training started from."""


Work = Callable[[Event], Trained]
"""Trains, and gives up soon after the event is set."""


def aside(work: Callable[[], None]) -> None:
    """Begin work in a thread that no process waits for."""
    Thread(target=work, name="training", daemon=True).start()


def at_once(work: Callable[[], None]) -> None:
    """Do work here and now: for sites that somebody else steps through a run."""
    work()


Result = TypeVar("Result")


class Errand(Generic[Result]):
    """One piece of work that is done aside; written by whoever does it, until it is over.

    Args:
        work: Is begun at once, and given an event that asks it to give up.
        spawn: How it is begun.
        wake: Called, in whatever thread, when it is over.
    """

    def __init__(
        self, work: Callable[[Event], Result], spawn: Spawn, wake: Callable[[], None]
    ) -> None:
        self.halt = Event()
        self._over = Event()
        self._result: Result | None = None
        self._failure: BaseException | None = None

        def run() -> None:
            try:
                self._result = work(self.halt)
            except BaseException as exc:
                self._failure = exc
            self._over.set()
            wake()

        spawn(run)

    @property
    def is_over(self) -> bool:
        """Tell whether the work is done, or failed."""
        return self._over.is_set()

    @property
    def failure(self) -> BaseException | None:
        """Why it failed; None as long as it is not over."""
        return self._failure if self.is_over else None

    def result(self) -> Result:
        """Return what came of the work that is over.

        Raises:
            RuntimeError: It is not over, or failed.
        """
        if not self.is_over or self._failure is not None or self._result is None:
            raise RuntimeError("nothing came of it")
        return self._result


class Desk:
    """Keep a training by its order; belongs to one follower of a run.

    Args:
        spawn: How a training is begun.
        wake: Called, in whatever thread, when one is over.
    """

    def __init__(self, spawn: Spawn, wake: Callable[[], None]) -> None:
        self._spawn = spawn
        self._wake = wake
        self._order: TrainingOrder | None = None
        self._errand: Errand[Trained] | None = None

    @property
    def training(self) -> Training | None:
        """The training that is under way or over; None if there is none."""
        order, errand = self._order, self._errand
        if order is None or errand is None:
            return None
        return Training(order, errand.is_over, errand.failure is not None)

    def begin(self, order: TrainingOrder, work: Work) -> None:
        """Begin a training in place of whatever was here."""
        self.clear()
        self._order, self._errand = order, self.send(work)

    def send(self, work: Callable[[Event], Result]) -> Errand[Result]:
        """Begin some other work aside, as trainings are begun."""
        return Errand(work, self._spawn, self._wake)

    def trained(self) -> Trained:
        """Return what came of the training that is over."""
        if self._errand is None or self._errand.failure is not None:
            raise RuntimeError("nothing is trained")
        return self._errand.result()

    def clear(self) -> BaseException | None:
        """Stop and forget the training; return why it failed, if it was over by then."""
        errand, self._errand, self._order = self._errand, None, None
        if errand is None:
            return None
        errand.halt.set()
        return errand.failure
