"""Nodes wait for a straggler as long as the others took, and go on without it."""

from __future__ import annotations

from pathlib import Path

from fednet.domain.identity import SiteId
from tests.e2e.fleet import assert_audit_passes, running_fleet

SITES, TARGET, ROUNDS = 3, 2, 2
SLEEPER = SiteId(3)
PERCENT = 50
NAP_SECONDS = 90


def test_rounds_close_without_a_straggler_once_the_wait_is_over(tmp_path: Path) -> None:
    with running_fleet(
        tmp_path, SITES, ROUNDS, cohort={"target_updates": TARGET},
        timing={"straggler_percent": PERCENT, "reveal_seconds": 4, "grace_seconds": 1},
    ) as (fleet, _, run):  # fmt: skip
        for site in fleet.consortium.sites:
            fleet.start(site, nap=f"1:{NAP_SECONDS}" if site == SLEEPER else "")
        fleet.finish(run)
        history = fleet.consortium.history(run)
        for entry in history.rounds.values():
            assert list(entry.attempts) == [1]
            attempt = entry.attempts[1]
            assert attempt.submissions.keys() == set(fleet.consortium.sites) - {SLEEPER}
            assert SLEEPER in attempt.proposals[1].attestations
        assert_audit_passes(fleet, run)
