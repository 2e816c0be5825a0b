"""A node and its airlock in a run, killed between any two steps: asked, decided, sent or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.airlock import Airlock, AirlockPolicy, Exposure, Trace, policy_of
from fednet.codec import TensorFile
from fednet.domain import events as ev
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import Commitment, DatasetId, Locator, RunId, SiteId
from fednet.domain.ledger import Phase, Role, RunState, Standing
from fednet.domain.plan import Plan
from fednet.domain.update import Manifest
from fednet.errors import AirlockRefusedError, FednetError, LedgerUnavailableError, TaskError
from fednet.node import acts, reading
from fednet.node.answers import give_answer
from fednet.node.desk import at_once
from fednet.node.following import RunFollower
from fednet.node.gate import Gate
from fednet.node.journal import Journal
from fednet.node.ports import TrainingResult
from fednet.node.site import SiteTools
from tests.unit.audit.books import DEPLOYMENT, RUN
from tests.unit.audit.test_late_updates import Buffered
from tests.unit.audit.world import World, work_of
from tests.unit.node.views import attempt_key

SITE = SiteId(3)
DATA = Commitment.of(b"the data")
FIRST = attempt_key()
HUMAN: dict[str, Any] = {"gate": {"human": True, "answer_seconds": 60}}
INSIDE: dict[str, Any] = {"content": {"minimum_effective_examples": 5}}
REQUESTED, APPROVED, REJECTED, EXPIRED = AirlockStep


class Ledger(World):
    """A run in memory that collects updates, as a node's reader and writer see it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_down = False
        self.told: list[AirlockRecord] = []
        self.phase = Phase.COLLECTING
        self.order: list[str] = []

    @property
    def deadline(self) -> int:
        started = [each for each in self.logged if isinstance(each, ev.AttemptStarted)]
        return started[-1].deadline

    def state(self, run: RunId) -> RunState:
        zeros = dict.fromkeys(RunState.__dataclass_fields__, 0)
        values: dict[str, Any] = zeros | {
            "phase": self.phase, "round": self.place.round, "attempt": self.place.attempt,
            "since": self.now, "deadline": self.deadline, "expected": 3, "quorum": 2,
        }  # fmt: skip
        return RunState(**values)

    def access(self, grant: int) -> Any:
        return SimpleNamespace(dataset=DatasetId(40 + grant))

    def dataset(self, dataset: int) -> Any:
        return SimpleNamespace(dataset=dataset, closed=False, data=DATA, examples=1_000)

    def announced(self, blob: Commitment) -> tuple[Locator, ...]:
        return ()

    def record(self, record: AirlockRecord) -> None:
        if self.is_down:
            raise LedgerUnavailableError("no answer", subject="chain")
        self.order.append(record.step)
        self.told.append(record)

    def go_on(self) -> None:
        """Begin the next attempt without this site's update."""
        self.now = self.deadline + 1
        self.begin(1, self.place.attempt + 1)


class Late(Buffered, Ledger):
    """A run that takes late updates."""


class Writer:
    """Submit to a ledger."""

    address = "0x"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def submit(self, run: RunId, *what: Any) -> Any:
        site, number, attempt, commitment, weight, locator = what
        self._ledger.order.append("submitted")
        return self._ledger.emit(
            ev.UpdateSubmitted, round=number, site=site, attempt=attempt, stage=0,
            commitment=commitment, weight=weight, locator=locator,
        )  # fmt: skip


class Hands:
    """Trainer and probe: as the world does, and as good as a test wants."""

    def __init__(self) -> None:
        self.trainings = 0
        self.looked = 0
        self.examples_alike = 10
        self.is_stubborn = False
        self.failure: Exception | None = None

    def digest(self, plan: Plan) -> str:
        return plan.task.digest

    def train(self, plan: Plan, base: Path, place: Any, site: int, *_: object) -> TrainingResult:
        self.trainings += 1
        number = place.round if self.is_stubborn else 10 * place.round + place.attempt
        return TrainingResult(work_of(site, number), 10, steps=2)

    def measure(self, policy: AirlockPolicy, trace: Trace, halt: Event) -> Exposure:
        self.looked += 1
        if self.failure is not None:
            raise self.failure
        assert {name: array.shape for name, array in trace.update.items()} == {
            "bias": (), "weights": (5, 3),
        }  # fmt: skip
        assert trace.base_state_path.exists()
        lengths = np.zeros(10, np.float32)
        lengths[: self.examples_alike] = 1
        return Exposure(10, gradients=lengths)


class Site:
    """Site 3's node; `kills` it after every step, so that each starts from disk and chain."""

    def __init__(
        self, folder: Path, policy: dict[str, Any], ledger: type[Ledger] = Ledger, *, kills: bool
    ) -> None:
        self.folder = folder
        self.policy = policy_of(policy, "policy")
        self.kills = kills
        self.ledger = ledger(folder)
        self.hands = Hands()
        self._open()

    def _open(self) -> None:
        reader: Any = self.ledger
        hands: Any = self.hands
        writer: Any = Writer(self.ledger)
        self.journal = Journal(self.folder / "journal", DEPLOYMENT, SITE)
        self.gate = Gate(self.folder / "airlock", DEPLOYMENT, SITE, self.policy)
        tools = SiteTools(
            site=SITE, reader=reader, writer=writer, blobs=self.ledger.store, trainer=hands,
            data=SimpleNamespace(commitment=lambda: DATA), airlock=Airlock(self.policy),
            journal=self.journal, folder=self.folder / "runs", gate=self.gate, probe=hands,
            airlock_ledger=self.ledger, spawn=at_once,
        )  # fmt: skip
        standing: Any = SimpleNamespace(
            standing=Standing.ACTIVE, roles=Role.SITE, lost=frozenset(), ask_again=lambda: None
        )
        self.follower = RunFollower(tools, standing, self.ledger.opened, Event())

    def close(self) -> None:
        self.journal.close()
        self.gate.close()
        self.follower._fetcher.close()

    def step(self) -> acts.Act:
        try:
            return self.follower.step()
        finally:
            if self.kills:
                self.close()
                self._open()

    def rest(self) -> str:
        """Act until there is nothing to do; return what is waited for."""
        for _ in range(20):
            act = self.step()
            if isinstance(act, acts.Wait):
                return act.reason
        raise AssertionError("no end of acting")

    def answer(self, *, approves: bool) -> None:
        place = self.ledger.place
        request = self.gate.request(RUN, attempt_key(place.round, place.attempt))
        give_answer(self.gate.folder, request, approves=approves, reason="because", at=1)

    @property
    def steps(self) -> list[AirlockStep]:
        return [record.step for record in self.ledger.told]

    @property
    def submitted(self) -> bool:
        return SITE in {each.site for each in self.ledger.submissions()}


def keep_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the node's clock show what the ledger's does."""
    clock = SimpleNamespace(time=lambda: site.ledger.now, monotonic=lambda: 0.0)
    monkeypatch.setattr(reading, "time", clock)


@pytest.fixture(params=[False, True], ids=["runs on", "killed after each step"])
def open_site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    sites: list[Site] = []

    def open_site(policy: dict[str, Any]) -> Site:
        site = Site(tmp_path, policy, kills=request.param)
        keep_time(site, monkeypatch)
        sites.append(site)
        return site

    yield open_site
    for site in sites:
        site.close()


def test_without_a_person_an_update_is_recorded_and_then_sent(open_site: Any) -> None:
    site = open_site({})
    assert site.rest() == "others are training"
    assert site.ledger.order == ["requested", "approved", "submitted"]
    record = site.ledger.told[0]
    assert (record.run, record.round, record.attempt, record.dataset) == (RUN, 1, 1, 43)
    assert site.hands.trainings == 1


def test_an_update_waits_for_a_person_while_the_node_goes_on(open_site: Any) -> None:
    site = open_site(HUMAN)
    assert site.rest() == "a person decides on update 1: fednet airlock show 1"
    assert not site.submitted
    site.ledger.begin(1)  # something else happens on the chain
    assert "a person decides" in site.rest()
    site.answer(approves=True)
    assert site.rest() == "others are training"
    assert site.submitted
    assert site.hands.trainings == 1


def test_a_rejected_update_costs_the_attempt_and_nothing_else(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.answer(approves=False)
    assert "the airlock keeps update 1 in, a reviewer rejected it" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert not site.submitted
    assert not site.journal.notes(RUN).pledges
    site.ledger.go_on()
    assert "a person decides on update 2" in site.rest()
    site.answer(approves=True)
    site.rest()
    assert site.submitted
    assert site.steps == [REQUESTED, REJECTED, REQUESTED, APPROVED]


def test_values_that_were_rejected_are_not_asked_about_again(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.hands.is_stubborn = True
    site.rest()
    site.answer(approves=False)
    site.rest()
    site.ledger.go_on()
    assert "the airlock keeps update 2 in, a reviewer rejected it" in site.rest()
    assert site.steps == [REQUESTED, REJECTED] * 2


def test_what_nobody_answers_in_time_costs_the_attempt(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.now += 61
    assert "nobody answered in time" in site.rest()
    site.answer(approves=True)  # too late
    assert "nobody answered in time" in site.rest()
    assert site.steps == [REQUESTED, EXPIRED]
    assert not site.submitted


def test_what_nobody_answers_leaves_where_the_policy_says_so(open_site: Any) -> None:
    site = open_site({"gate": {**HUMAN["gate"], "unanswered": "release"}})
    site.rest()
    site.ledger.now += 61
    site.rest()
    assert site.submitted
    assert site.steps == [REQUESTED, APPROVED]


def test_a_round_that_goes_on_ends_the_waiting(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.go_on()
    assert "a person decides on update 2" in site.rest()
    assert site.steps[:2] == [REQUESTED, EXPIRED]
    assert site.gate.held(RUN)[FIRST].why == "the round went on before it was decided"


def test_a_check_that_refuses_costs_the_attempt_and_is_recorded(open_site: Any) -> None:
    site = open_site({"update": {"maximum_norm": 0.5}})
    with pytest.raises(AirlockRefusedError, match="norm"):
        site.rest()
    assert "sitting this attempt out" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert (site.hands.trainings, site.submitted) == (1, False)
    assert not list((site.folder / "runs").rglob("update-*"))


def test_content_is_compared_with_the_data_before_anybody_is_asked(open_site: Any) -> None:
    site = open_site(INSIDE | HUMAN)
    assert "a person decides on update 1" in site.rest()
    assert site.hands.looked == 1
    site.answer(approves=True)
    site.rest()
    assert site.submitted


def test_content_that_betrays_too_much_stays(open_site: Any) -> None:
    site = open_site(INSIDE)
    site.hands.examples_alike = 1
    with pytest.raises(AirlockRefusedError) as caught:
        site.rest()
    assert caught.value.check == "content.minimum_effective_examples"
    assert "sitting this attempt out" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert site.hands.looked == 1


def test_content_that_nobody_can_look_into_stays(open_site: Any) -> None:
    site = open_site(INSIDE)
    site.hands.failure = TaskError("the task failed", subject="probe")
    with pytest.raises(TaskError):
        site.rest()
    if not site.kills:
        assert "the task failed" in site.rest()
    assert not site.submitted


def test_a_budget_that_is_used_up_keeps_the_next_update_in(open_site: Any) -> None:
    site = open_site({"budgets": {"43": {"updates": 1}}})
    site.rest()
    assert site.submitted
    site.ledger.go_on()
    assert "budgets.43.updates" in site.rest()
    assert site.steps[:2] == [REQUESTED, APPROVED]
    assert len([each for each in site.ledger.order if each == "submitted"]) == 1


def test_nothing_leaves_before_the_ledger_knows_that_it_may(open_site: Any) -> None:
    site = open_site({})
    site.ledger.is_down = True
    with pytest.raises(FednetError):
        site.rest()
    assert not site.submitted
    site.ledger.is_down = False
    site.rest()
    assert site.ledger.order == ["requested", "approved", "submitted"]


def test_an_approved_update_whose_bytes_are_gone_is_never_promised(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.answer(approves=True)
    for path in (site.folder / "runs").rglob("update-*"):
        path.unlink()
    for _ in range(5):
        site.step()
    assert site.steps == [REQUESTED, APPROVED]
    assert not site.journal.notes(RUN).pledges
    assert not site.submitted


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # What was trained is in memory only: a node that is killed trains again.
    site = Site(tmp_path, HUMAN, Late, kills=False)
    keep_time(site, monkeypatch)
    yield site
    site.close()


def test_late_work_waits_from_round_to_round_and_is_asked_about_once(late: Site) -> None:
    initial = late.ledger.base
    assert "a person decides on update 1" in late.rest()
    late.answer(approves=True)  # and the round closes before the node sees it
    fast: Any = late.ledger
    fast.fast()
    assert late.rest() == "others are training"
    assert late.steps == [REQUESTED, EXPIRED, REQUESTED, APPROVED]
    (sent,) = [each for each in late.ledger.submissions() if each.site == SITE]
    assert (sent.round, late.hands.trainings) == (2, 1)
    pledge = late.journal.notes(RUN).pledges[attempt_key(2)]
    with TensorFile(late.folder / "runs" / "run-1" / pledge.file, "update") as file:
        assert Manifest.from_metadata(file.metadata, "update").base == initial
