"""Node processes of a consortium: started, killed, started again, and waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fednet.audit import audit_run
from fednet.blobs import EmbeddedStore
from fednet.domain.events import SiteApplied
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ledger import Phase, RunState
from fednet.errors import LedgerUnavailableError
from fednet.ledger.chains import LocalChain
from tests.e2e.consortium import ETHER, Consortium, key_of, make_plan, write_model

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 240.0
_LOOK_SECONDS = 0.05


class Fleet:
    """The node processes of a consortium's sites."""

    def __init__(self, consortium: Consortium) -> None:
        self.consortium = consortium
        self.processes: dict[SiteId, subprocess.Popen[bytes]] = {}
        self.deaths: list[SiteId] = []
        """Sites whose node was found killed, in the order they were found."""
        self.on_death: Callable[[SiteId], None] = lambda site: None
        """What befalls a site's disk before its node is started again."""
        self._crashes: dict[SiteId, str] = {}

    def start(self, site: SiteId, crashes: str = "", nap: str = "") -> None:
        """Start a site's node, which kills itself at the points that are named.

        A nap is a round and the seconds for which nothing is trained from it on, as ``3:60``.
        """
        self._crashes[site] = crashes
        config = self.consortium.config(site).write()
        with (self.consortium.home(site) / "output.log").open("ab") as output:
            self.processes[site] = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.node_process", str(config)],
                cwd=ROOT,
                env=os.environ
                | {
                    "FEDNET_TEST_CRASHES": crashes,
                    "FEDNET_TEST_NAP": nap,
                    "PYTHONPATH": str(ROOT),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self, site: SiteId) -> None:
        """Kill a site's node outright and wait for its end."""
        self.processes[site].kill()
        self.processes[site].wait()

    def lose(self, site: SiteId) -> None:
        """Kill a site's node outright; nobody starts it again until somebody does."""
        self.kill(site)
        del self.processes[site]

    def look_after(self) -> None:
        """Start again every node that was killed; anything else that ended is a fault."""
        for site, process in list(self.processes.items()):
            code = process.poll()
            if code is None:
                continue
            assert code == -signal.SIGKILL, (
                f"node of site {site} ended with {code}: {self.log(site)}"
            )
            self.deaths.append(site)
            self.on_death(site)
            self.start(site, self._crashes[site])

    def wait_for(self, run: RunId, holds: Callable[[RunState], bool]) -> RunState:
        """Look at a run until something holds, keeping the nodes alive meanwhile."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        state = None
        while time.monotonic() < deadline:
            self.look_after()
            try:
                state = self.consortium.reader.state(run)
            except LedgerUnavailableError:
                continue
            if holds(state):
                return state
            time.sleep(_LOOK_SECONDS)
        logs = "\n".join(self.log(site) for site in self.processes)
        raise AssertionError(f"run {run} came no further than {state}\n{logs}")

    def finish(self, run: RunId) -> None:
        """Wait until a run is completed and every late vote is in."""
        state = self.wait_for(run, lambda state: state.phase.is_over)
        assert state.phase is Phase.COMPLETED, state
        voters = len(self.consortium.sites)

        def everybody_voted(_: RunState) -> bool:
            entry = self.consortium.history(run).rounds[state.round]
            assert entry.final_proposal is not None
            return len(entry.final_proposal.attestations) == voters

        self.wait_for(run, everybody_voted)

    def log(self, site: SiteId) -> str:
        """Return the last words of a node."""
        home = self.consortium.home(site)
        paths = [home / "node.log", home / "output.log"]
        texts = [path.read_text()[-2_000:] for path in paths if path.exists()]
        return f"--- site {site}\n" + "\n".join(texts)

    def stop(self) -> dict[SiteId, int]:
        """Stop every node as an administrator does; return how they ended."""
        for process in self.processes.values():
            process.terminate()
        return {site: process.wait(60) for site, process in self.processes.items()}

    def close(self) -> None:
        """Leave no process behind."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def running_fleet(
    folder: Path,
    sites: int,
    rounds: int,
    engine: str = "anvil",
    elements: int = 1_000,
    hubs: int = 1_000,
    members: int = 0,
    **sections: dict[str, Any],
) -> Iterator[tuple[Fleet, LocalChain, RunId]]:
    """Start a chain and open a run to which every site consents; no node runs yet.

    Sections change fields of the plan's. With ``members`` only the first so many sites consent.
    """
    chain = LocalChain(engine, folder / "chain")
    chain.start()
    try:
        operator = key_of("operator")
        chain.fund(operator.address, 1_000 * ETHER)
        consortium = Consortium(chain.url, operator, folder, sites, hubs)
        fleet = Fleet(consortium)
        try:
            model = folder / "model"
            write_model(model, elements)
            taking_part = members or sites
            plan = make_plan(model, rounds, taking_part, **sections)
            run = consortium.publish_run(plan, model)
            consortium.consent(run, consortium.sites[:taking_part])
            yield fleet, chain, run
        finally:
            fleet.close()
            consortium.close()
    finally:
        chain.stop()


def assert_one_record_each(fleet: Fleet, run: RunId, rounds: int) -> None:
    """Every site has exactly one submission and one attestation in every round."""
    history = fleet.consortium.history(run)
    assert sorted(history.rounds) == list(range(1, rounds + 1))
    everybody = set(fleet.consortium.sites)
    for entry in history.rounds.values():
        assert list(entry.attempts) == [1]
        attempt = entry.attempts[1]
        assert set(attempt.submissions) == everybody
        assert list(attempt.proposals) == [1]
        assert set(attempt.proposals[1].attestations) == everybody
        assert not attempt.proposals[1].objections
    kinds = [type(event).__name__ for event in history.events]
    assert kinds.count("UpdateSubmitted") == rounds * len(everybody)
    assert kinds.count("RoundProposed") == rounds
    assert kinds.count("RoundAttested") == rounds * len(everybody)


def assert_audit_passes(fleet: Fleet, run: RunId) -> None:
    """An outsider with the swarm's key, an empty disk and no other key finds nothing wrong."""
    consortium = fleet.consortium
    home = consortium.folder / "auditor"
    store = EmbeddedStore(home / "store", home / "cache", swarm_key=consortium.swarm_key)
    try:
        applied = consortium.reader.events([SiteApplied])
        store.connect([event.store_address for event in applied if isinstance(event, SiteApplied)])
        report = audit_run(consortium.reader, store, run)
    finally:
        store.close()
    assert report.verified, report.findings
    assert not report.accused, report.findings
