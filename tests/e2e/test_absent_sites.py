"""Rounds do not wait for a site that is slow nor for one that is gone; both come back."""

from __future__ import annotations

from pathlib import Path

from fednet.domain.identity import RoundNumber, SiteId
from tests.e2e.fleet import assert_audit_passes, running_fleet

SITES, TARGET, ROUNDS = 5, 3, 8
NAP_SECONDS = 25
SLEEPER, GONE = SiteId(4), SiteId(5)
TIMING = {"reveal_seconds": 4, "grace_seconds": 1}


def test_rounds_close_at_the_target_and_absent_sites_come_back(tmp_path: Path) -> None:
    with running_fleet(
        tmp_path, SITES, ROUNDS, cohort={"target_updates": TARGET}, timing=TIMING
    ) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site, nap=f"2:{NAP_SECONDS}" if site == SLEEPER else "")
        fleet.wait_for(run, lambda state: state.round >= 2)
        fleet.lose(GONE)
        fleet.wait_for(run, lambda state: state.final_rounds >= 4)
        sleeping = fleet.consortium.history(run)
        fleet.start(GONE)
        fleet.finish(run)

        # Rounds passed while the one trained for round 2 and the other was no more.
        for number in (2, 3, 4):
            came = sleeping.rounds[RoundNumber(number)].attempts[1].submissions.keys()
            assert SLEEPER not in came
            assert GONE not in came or number == 2
        history = fleet.consortium.history(run)
        for entry in history.rounds.values():
            assert list(entry.attempts) == [1]
            assert len(entry.attempts[1].submissions) == TARGET
            assert list(entry.attempts[1].proposals) == [1]
        # `finish` has waited for the vote of every site on the last round.
        assert not fleet.deaths
        assert_audit_passes(fleet, run)
