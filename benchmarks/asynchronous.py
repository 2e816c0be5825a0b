"""Time to the same accuracy: rounds that wait for all, and asynchronous ones, on Anvil and Kubo.

Eight nodes, each with a store of its own, whose training takes 1, 2, 4 and 8 units of time, two
sites each. They train digits for real; the rest of the time they sleep. First a synchronous plan:
each round waits for all eight. Then an asynchronous one (FedBuff): a round closes with the first
four updates, and what was trained from an older state counts for less. Each state is judged on
held-out records as soon as it is final. The asynchronous run goes on until it reaches the accuracy
that the synchronous one ended with; both are timed from the last consent to when they reached it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from benchmarks._figures import is_full, show, tell
from fednet.airlock import Airlock
from fednet.audit import audit_run
from fednet.blobs import EmbeddedStore
from fednet.cli.plans import PlanFile
from fednet.cli.rehearsing import Tasks
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Phase
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Place
from fednet.ledger.chains import LocalChain
from fednet.node import Journal, Node, SiteTools, TrainerPort, TrainingResult
from fednet.simulation import Member, Partition, Scenario
from tests.e2e.consortium import ETHER, Consortium, key_of

MINUTES = 4, 8
SITES = 8
UNITS = (1, 1, 2, 2, 4, 4, 8, 8)
"""Units of time that each site's training takes."""
UNIT_SECONDS = 1.0
BUFFER, STALENESS = 4, 8
METRIC = "accuracy"
COMMON: dict[str, Any] = {
    "training": {"local_epochs": 1, "batch_size": 32, "learning_rate": "0.2"},
    "timing": {"consent_seconds": 600, "collect_seconds": 120, "reveal_seconds": 30,
               "grace_seconds": 5, "propose_seconds": 60, "attest_seconds": 60},
}  # fmt: skip
COHORT = {"minimum_sites": SITES, "target_sites": SITES, "maximum_sites": SITES}
MOST_ROUNDS = 200
LIMIT_RATIO = 0.8
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 600.0


class SlowTrainer:
    """Train as the inner trainer does, in so much time.

    Args:
        inner: What trains.
        seconds: How long it has to take, at least.
        turn: Held while it trains: all sites share the task's processes.
    """

    def __init__(self, inner: TrainerPort, seconds: float, turn: Lock) -> None:
        self._inner = inner
        self._seconds = seconds
        self._turn = turn

    def digest(self, plan: Plan) -> Commitment:
        """Return the inner trainer's."""
        return self._inner.digest(plan)

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        """Train, then sleep for what is left of the time."""
        until = time.monotonic() + self._seconds
        with self._turn:
            result = self._inner.train(
                plan, base_state_path, place, site, out_dir, kept, part, halt
            )
        halt.wait(max(0.0, until - time.monotonic()))
        return result


@dataclass(frozen=True, slots=True)
class Reached:
    """When a run had a model of some accuracy."""

    seconds: float
    """Since the last consent."""
    accuracy: float
    updates: int
    """That counted until then."""
    late: int
    """How many of them were late."""


class Arena:
    """Eight nodes in threads of this process, on a chain and stores of their own."""

    def __init__(self, consortium: Consortium, tasks: Tasks, stores: Mapping[SiteId, Any]) -> None:
        self.consortium = consortium
        self.tasks = tasks
        self.stores = stores
        self.nodes: list[tuple[Node, Thread, Journal]] = []

    def start(self) -> None:
        """Start every node."""
        turn = Lock()
        for site, units in zip(self.consortium.sites, UNITS, strict=True):
            home = self.consortium.home(site)
            journal = Journal(home / "journal", self.consortium.deployment, site)
            data = self.consortium.data(site)
            member = Member(site, self.consortium.writer(site), data, self.tasks.records[site - 1],
                            DatasetId(site))  # fmt: skip
            node = Node(
                SiteTools(
                    site=site,
                    reader=self.consortium.reader,
                    writer=member.writer,
                    blobs=self.stores[site],
                    trainer=SlowTrainer(self.tasks.trainer(member), units * UNIT_SECONDS, turn),
                    data=data,
                    airlock=Airlock(),
                    journal=journal,
                    folder=home / "runs",
                )
            )
            thread = Thread(target=node.run, name=f"node-{site}", daemon=True)
            thread.start()
            self.nodes.append((node, thread, journal))

    def stop(self) -> None:
        """Ask every node to end, and wait for their first threads."""
        for node, thread, journal in self.nodes:
            node.stop()
            thread.join(10)
            journal.close()

    def open(
        self, name: str, rounds: int, **sections: Mapping[str, Any]
    ) -> tuple[RunId, PlanFile, float]:
        """Open a run to which every site consents; return when the last one did."""
        raw = {"name": name, "rounds": rounds, **COMMON, **sections}
        file = self.tasks.complete(raw, self.consortium.folder)
        run = self.consortium.open_run(file.plan, file.model, self.stores[self.consortium.sites[0]])
        self.consortium.consent(run)
        return run, file, time.monotonic()

    def curve(self, run: RunId, file: PlanFile, began: float, target: float) -> list[Reached]:
        """Judge each final state of a run until one reaches the target, or the last round."""
        found: list[Reached] = []
        until = time.monotonic() + _PATIENCE_SECONDS
        while not (found and found[-1].accuracy >= target) and len(found) < file.plan.rounds:
            state = self.consortium.reader.state(run)
            if state.final_rounds > len(found):
                now, history = time.monotonic(), self.consortium.history(run)
                for number in range(len(found) + 1, history.final_rounds + 1):
                    found.append(self._judge(history, number, file.plan, now - began, found))
                    tell("asynchronous", f"{file.plan.name}, round {number}: {found[-1]}")
            elif state.phase is Phase.ABORTED or time.monotonic() > until:
                raise RuntimeError(f"the {file.plan.name} run came no further than {state}")
            time.sleep(_LOOK_SECONDS)
        return found

    def require_verified(self, run: RunId) -> None:
        """Audit a run, and insist that nothing is wrong with it."""
        report = audit_run(self.consortium.reader, self.stores[self.consortium.sites[0]], run)
        if not report.verified or report.accused:
            raise RuntimeError(f"the audit found: {report.findings}")

    def _judge(
        self, history: RunHistory, number: int, plan: Plan, seconds: float, before: list[Reached]
    ) -> Reached:
        final = history.rounds[RoundNumber(number)].final_proposal
        if final is None:
            raise RuntimeError(f"round {number} is not final")
        proposed, store = final.proposed, self.stores[self.consortium.sites[0]]
        limit = 1 << 24
        path = store.fetch(proposed.record, [proposed.record_locator], limit, 60.0)
        record = RoundRecord.from_bytes(path.read_bytes(), f"record of round {number}")
        state = store.fetch(proposed.state, [Locator(record.state_locator)], limit, 60.0)
        counted = [each for each in record.updates if each.verdict == "included"]
        last = before[-1] if before else Reached(0, 0, 0, 0)
        return Reached(
            round(seconds, 3),
            round(self.tasks.judge(plan, state)[METRIC], 4),
            last.updates + len(counted),
            last.late + sum(each.staleness > 0 for each in counted),
        )


@contextmanager
def arena(folder: Path) -> Iterator[Arena]:
    """Set eight sites up, with their nodes running."""
    with ExitStack() as stack:
        scenario = Scenario(SITES, Partition("iid"), None, seed=0)
        tasks = stack.enter_context(Tasks.deal(scenario, "digits", folder / "records"))
        chain = LocalChain("anvil", folder / "chain")
        chain.start()
        stack.callback(chain.stop)
        operator = key_of("operator")
        chain.fund(Address(operator.address), 1_000 * ETHER)
        consortium = Consortium(chain.url, operator, folder, SITES)
        stack.callback(consortium.close)
        stores: dict[SiteId, EmbeddedStore] = {}
        for site in consortium.sites:
            stores[site] = consortium.open_store(site)
            stack.callback(stores[site].close)
        made = Arena(consortium, tasks, stores)
        stack.callback(made.stop)
        made.start()
        yield made


def main() -> int:
    """Print both times and their ratio; return 1 if it is above the limit."""
    rounds = 16 if is_full(__doc__) else 10
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name, arena(Path(name)) as made:
        run, file, began = made.open("synchronous", rounds, cohort=COHORT)
        curve = made.curve(run, file, began, target=2.0)
        target = curve[-1].accuracy
        waiting = next(each for each in curve if each.accuracy >= target)
        run, file, began = made.open(
            "asynchronous", MOST_ROUNDS, staleness={"rounds": STALENESS},
            cohort=COHORT | {"target_updates": BUFFER},
        )  # fmt: skip
        late = made.curve(run, file, began, target)[-1]
        made.require_verified(run)
    if late.accuracy < target:
        raise RuntimeError(f"the asynchronous run ended at {late.accuracy}, below {target}")
    ratio = round(late.seconds / waiting.seconds, 3)
    what = f"{SITES} sites of speeds 1:2:4:8, digits"
    show("asynchronous", f"{what}: accuracy after {rounds} rounds that wait for all", target)
    show("asynchronous", f"until it is reached by rounds that wait for all, "
         f"{waiting.updates} updates", waiting.seconds, "s")  # fmt: skip
    show("asynchronous", f"until it is reached by rounds of {BUFFER} updates, "
         f"{late.updates} updates, {late.late} of them late", late.seconds, "s")  # fmt: skip
    holds = show("asynchronous", "the one time over the other", ratio, "times", at_most=LIMIT_RATIO)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
