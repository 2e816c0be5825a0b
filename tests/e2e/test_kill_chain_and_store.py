"""kill -9 of the chain and of embedded Kubo nodes in the middle of a run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fednet.domain.identity import SiteId
from fednet.domain.ledger import Phase
from tests.e2e.fleet import (
    Fleet,
    assert_audit_passes,
    assert_one_record_each,
    running_fleet,
)


def child_of(fleet: Fleet, site: SiteId) -> int:
    """Return the embedded Kubo process of a site's node."""
    threads = Path(f"/proc/{fleet.processes[site].pid}/task").glob("*/children")
    for child in [pid for thread in threads for pid in thread.read_text().split()]:
        if b"fednet.blobs.embedded" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError(f"site {site} has no store process")


def test_run_survives_killed_ganache_and_killed_stores(tmp_path: Path) -> None:
    rounds = 4
    with running_fleet(tmp_path, 3, rounds, engine="ganache") as (fleet, chain, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        fleet.wait_for(run, lambda state: state.round == 2)
        os.kill(chain.status().pid, signal.SIGKILL)
        chain.start()
        fleet.wait_for(run, lambda state: state.round == 3)
        for site in fleet.consortium.sites[:2]:
            os.kill(child_of(fleet, site), signal.SIGKILL)
        fleet.wait_for(run, lambda state: state.round == 4 or state.phase is Phase.COMPLETED)
        fleet.finish(run)
        assert not fleet.deaths
        assert_one_record_each(fleet, run, rounds)
        assert_audit_passes(fleet, run)
