"""Training beside all else: what is wrapped for which attempt, and how an error in it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.airlock import Airlock
from fednet.codec import TensorFile
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.record import StateRef
from fednet.domain.update import Manifest, Place
from fednet.errors import DataError, LedgerUnavailableError, MalformedBlobError, TrainingError
from fednet.node import acts
from fednet.node.desk import Desk, Spawn, aside, at_once
from fednet.node.fetching import Fetcher
from fednet.node.journal import Journal
from fednet.node.performing import Performer
from fednet.node.places import AttemptKey, TrainingOrder
from fednet.node.ports import TrainingResult
from fednet.node.progress import ignore
from fednet.node.terms import RunTerms
from fednet.node.view import Training
from fednet.node.workshop import Workshop
from tests.unit.audit.books import CHAIN_ID, CREDITS, DEPLOYMENT, MODULE, RUN
from tests.unit.audit.test_late_updates import Buffered
from tests.unit.audit.world import World, work_of
from tests.unit.node.views import attempt_key

PATIENCE_SECONDS = 20.0
SITE = SiteId(3)
DATA = Commitment.of(b"the data")
FIRST = attempt_key()


class Trainer:
    """Train as the world does, once it may go on; note for which places."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.go_on = Event()
        self.go_on.set()
        self.failure: Exception | None = None

    def train(self, plan: Any, base: Path, place: Place, site: int, *_: object) -> TrainingResult:
        halt = _[-1]
        assert isinstance(halt, Event)
        self.places.append(place)
        while not self.go_on.wait(0.005):
            if halt.is_set():
                raise TrainingError("halted", subject="training")
        if self.failure is not None:
            raise self.failure
        return TrainingResult(work_of(site, place.round), 10)


class Site:
    """Site 3 of a world: its node's hands, without its head."""

    def __init__(self, world: World, folder: Path, spawn: Spawn) -> None:
        self.world = world
        self.rung = Event()
        self.trainer = Trainer()
        self.registered = DATA
        self.journal = Journal(folder / "journal", DEPLOYMENT, SITE)
        fetcher = Fetcher(world.store, lambda blob: (), self.rung.set, 1)
        opened, plan = world.opened, world.plan
        initial = StateRef(
            opened.initial_model, opened.initial_model_locator, plan.model.size_bytes
        )
        terms = RunTerms(RUN, plan, plan.commitment, initial, CHAIN_ID, MODULE, CREDITS)
        self.workshop = Workshop(terms, world.store, fetcher, folder / "run", 1)
        self.desk = Desk(spawn, self.rung.set)
        tools: Any = SimpleNamespace(
            site=SITE, journal=self.journal, blobs=world.store, airlock=Airlock(),
            trainer=self.trainer, data=SimpleNamespace(commitment=lambda: DATA), report=ignore,
            training=Lock(), registered=self._registered, gate=None, probe=None,
            treasurer=None,
        )  # fmt: skip
        self.performer = Performer(tools, terms, self.workshop, fetcher, self.desk)
        self.close = lambda: (fetcher.close(), self.journal.close(), self.desk.clear())

    def _registered(self, grant: int) -> Any:
        return SimpleNamespace(dataset=1, closed=False, data=self.registered)

    def do(self, act: acts.Act) -> None:
        self.performer.perform(act, RunHistory.of(RUN, self.world.logged), 0)

    def wait(self) -> None:
        assert self.rung.wait(PATIENCE_SECONDS)
        self.rung.clear()

    def update(self, key: AttemptKey) -> Manifest:
        """Return the manifest of what the journal is committed to."""
        pledge = self.journal.notes(RUN).pledges[key]
        return read_manifest(self.workshop.folder / pledge.file)


def read_manifest(path: Path) -> Manifest:
    with TensorFile(path, "update") as file:
        return Manifest.from_metadata(file.metadata, "update")


@pytest.fixture
def timely(tmp_path: Path) -> Iterator[Site]:
    site = Site(World(tmp_path), tmp_path, at_once)
    yield site
    site.close()


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Site]:
    site = Site(Buffered(tmp_path, rounds=3), tmp_path, aside)
    yield site
    site.close()


def test_what_is_trained_at_once_is_committed_to_at_once(timely: Site) -> None:
    timely.do(acts.Train(FIRST))
    manifest = timely.update(FIRST)
    assert manifest.place == timely.world.place
    assert manifest.base == timely.world.base
    assert timely.desk.training is None


def test_a_state_that_all_start_from_is_checked_once(timely: Site) -> None:
    base = timely.workshop.previous(RunHistory.of(RUN, timely.world.logged), FIRST.round)
    shape = timely.workshop.shape_of(base)
    assert isinstance(base.state_path, Path)
    base.state_path.write_bytes(b"something else")
    assert timely.workshop.shape_of(base) is shape
    other = replace(base, state=Commitment.of(b"another state"))
    with pytest.raises(MalformedBlobError):
        timely.workshop.shape_of(other)


def test_nothing_waits_for_a_training_aside(late: Site) -> None:
    late.trainer.go_on.clear()
    late.do(acts.Train(FIRST))
    order = TrainingOrder(FIRST, late.world.base)
    assert late.desk.training == Training(order)
    assert not late.journal.notes(RUN).pledges
    late.trainer.go_on.set()
    late.wait()
    assert late.desk.training == Training(order, is_over=True)


def test_late_work_is_wrapped_for_the_round_at_hand_and_names_its_own_base(late: Site) -> None:
    initial = late.world.base
    late.do(acts.Train(FIRST))
    late.wait()
    late.world.fast()
    late.do(acts.Wrap(attempt_key(2)))
    manifest = late.update(attempt_key(2))
    assert (manifest.place.round, manifest.base) == (2, initial)
    assert manifest.base != late.world.base
    assert [place.round for place in late.trainer.places] == [1]
    # It stays at hand until it is decided on: the stage may close without it.
    late.do(acts.Wrap(attempt_key(2, 2)))
    again = late.update(attempt_key(2, 2))
    assert again.place.attempt == 2
    assert again.salt != manifest.salt


@pytest.mark.parametrize("fails", ["training", "data"])
def test_an_error_that_costs_the_attempt_is_told_and_the_attempt_sat_out(
    timely: Site, fails: str
) -> None:
    error = TrainingError if fails == "training" else DataError
    if fails == "training":
        timely.trainer.failure = TrainingError("not finite", subject="loss")
    else:
        timely.registered = Commitment.of(b"other data")
    with pytest.raises(error):
        timely.do(acts.Train(FIRST))
    assert FIRST in timely.performer.sat_out
    assert timely.desk.training is None


def test_an_error_aside_is_told_when_the_training_is_given_up(late: Site) -> None:
    late.trainer.failure = TrainingError("not finite", subject="loss")
    late.trainer.go_on.clear()
    late.do(acts.Train(FIRST))
    late.trainer.go_on.set()
    late.wait()
    training = late.desk.training
    assert training is not None
    assert training.failed
    with pytest.raises(TrainingError, match="not finite"):
        late.do(acts.Discard(training.order))
    assert "not finite" in late.performer.sat_out[FIRST]


def test_an_error_that_passes_costs_nothing(timely: Site) -> None:
    timely.trainer.failure = LedgerUnavailableError("no answer", subject="chain")
    with pytest.raises(LedgerUnavailableError):
        timely.do(acts.Train(FIRST))
    assert not timely.performer.sat_out
    timely.trainer.failure = None
    timely.do(acts.Train(FIRST))
    assert FIRST in timely.journal.notes(RUN).pledges


def test_a_training_that_is_given_up_stops_and_is_no_error(late: Site) -> None:
    late.trainer.go_on.clear()
    late.do(acts.Train(FIRST))
    late.do(acts.Discard(TrainingOrder(FIRST, late.world.base)))
    late.wait()
    assert late.desk.training is None
    assert not late.performer.sat_out
