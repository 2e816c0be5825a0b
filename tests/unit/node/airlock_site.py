"""A node and its airlock over a run in memory; killed after every step if wanted."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.airlock import Airlock, AirlockPolicy, Exposure, Trace, policy_of
from fednet.domain import events as ev
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import Commitment, DatasetId, Locator, RunId, SiteId
from fednet.domain.ledger import Phase, Role, RunState, Standing
from fednet.domain.plan import Plan
from fednet.errors import LedgerUnavailableError
from fednet.node import acts, reading
from fednet.node.answers import Ruling, give_answer
from fednet.node.desk import at_once
from fednet.node.following import RunFollower
from fednet.node.gate import Gate
from fednet.node.journal import Journal
from fednet.node.ports import TrainingResult
from fednet.node.site import SiteTools
from fednet.node.treasury import Treasurer
from tests.unit.audit.books import DEPLOYMENT, RUN
from tests.unit.audit.test_late_updates import Buffered
from tests.unit.audit.world import World, work_of
from tests.unit.node.views import attempt_key

SITE = SiteId(3)
DATA = Commitment.of(b"the data")
FIRST = attempt_key()
HUMAN: dict[str, Any] = {"gate": {"human": True, "answer_seconds": 60}}
INSIDE: dict[str, Any] = {"content": {"minimum_effective_examples": 5}}
REQUESTED, APPROVED, REJECTED, EXPIRED, RETURNED = AirlockStep
APPROVE, REJECT, RETURN = Ruling


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
            "since": self.deadline - self.plan.timing.collect_seconds, "deadline": self.deadline,
            "expected": 3, "quorum": 2,
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
        self.treasurer: Treasurer | None = None
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
            airlock_ledger=self.ledger, treasurer=self.treasurer, spawn=at_once,
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

    def answer(self, ruling: Ruling) -> None:
        place = self.ledger.place
        request = self.gate.request(RUN, attempt_key(place.round, place.attempt))
        give_answer(self.gate.folder, request, ruling, "because", 1)

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
