"""Time the audit of a finished run of ten sites and twenty rounds, on Anvil and Kubo.

The auditor is an outsider with an empty disk: every record, state and update
comes to it over the private swarm, is hashed, judged and combined again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import show
from tests.e2e.fleet import Fleet, assert_audit_passes, running_fleet

MINUTES = 1.5, 1.5
SITES = 10
ROUNDS = 20
ELEMENTS = 100_000
LIMIT_SECONDS = 10.0
SETTLE_SECONDS = 120.0


def main() -> int:
    """Print the figure; return 1 if it does not keep its limit."""
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        seconds = measure(Path(name))
    what = f"{SITES} sites, {ROUNDS} rounds, 0.4 MB model, from an empty disk"
    return 0 if show("audit", what, round(seconds, 2), "s", at_most=LIMIT_SECONDS) else 1


def measure(folder: Path) -> float:
    """Let a run finish, then audit it while its sites serve their blobs."""
    with running_fleet(folder, SITES, ROUNDS, "anvil", ELEMENTS) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        fleet.finish(run)
        _settle(fleet)
        began = time.perf_counter()
        assert_audit_passes(fleet, run)
        seconds = time.perf_counter() - began
        fleet.stop()
    return seconds


def _settle(fleet: Fleet) -> None:
    """Wait until every node preserved every round, which is not the auditor's work."""
    homes = [fleet.consortium.home(site) for site in fleet.consortium.sites]
    until = time.monotonic() + SETTLE_SECONDS
    while not all(_preserved(home) >= ROUNDS for home in homes):
        if time.monotonic() > until:
            raise TimeoutError("the nodes are still busy with the run that ended")
        time.sleep(1.0)
        fleet.look_after()


def _preserved(home: Path) -> int:
    """Count the rounds that a node's journal calls preserved."""
    (journal,) = (home / "journal").glob("*.jsonl")
    return journal.read_text("utf-8").count('"preserve')


if __name__ == "__main__":
    sys.exit(main())
