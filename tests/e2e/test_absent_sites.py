"""Rounds do not wait for a site that is slow nor for one that is gone; both come back."""

from __future__ import annotations

import re
from pathlib import Path

from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, SiteId
from tests.e2e.fleet import Fleet, assert_audit_passes, running_fleet

SITES, TARGET, ROUNDS = 5, 3, 8
NAP_SECONDS = 60
PAUSER, SLEEPER, GONE = SiteId(3), SiteId(4), SiteId(5)
NAPS = {SLEEPER: f"2:{NAP_SECONDS}", PAUSER: f"7:{NAP_SECONDS}"}
"""Round 7 lacks a submission until the site that was gone makes it, which so has time to replay."""
TIMING = {"reveal_seconds": 4, "grace_seconds": 1}
ELEMENTS = 50_000
UPDATE = {"codec": "topk-int8", "keep_ratio": "0.02"}


def test_rounds_close_at_the_target_and_absent_sites_come_back(tmp_path: Path) -> None:
    with running_fleet(
        tmp_path, SITES, ROUNDS, elements=ELEMENTS, cohort={"target_updates": TARGET},
        timing=TIMING, update=UPDATE,
    ) as (fleet, _, run):  # fmt: skip
        for site in fleet.consortium.sites:
            fleet.start(site, nap=NAPS.get(site, ""))
        fleet.wait_for(run, lambda state: state.round >= 2)
        fleet.lose(GONE)
        fleet.wait_for(run, lambda state: state.final_rounds >= 5)
        sleeping = fleet.consortium.history(run)
        before = cached(fleet, GONE)
        fleet.start(GONE)
        fleet.finish(run)

        # Rounds passed while the one trained for round 2 and the other was no more.
        for number in (2, 3, 4):
            came = sleeping.rounds[RoundNumber(number)].attempts[1].submissions.keys()
            assert SLEEPER not in came
            assert GONE not in came or number == 2
        # What trains votes all the same.
        voters = {
            number: sleeping.rounds[RoundNumber(number)].final_proposal for number in (2, 3, 4)
        }
        assert any(final and SLEEPER in final.attestations for final in voters.values())
        history = fleet.consortium.history(run)
        for entry in history.rounds.values():
            assert list(entry.attempts) == [1]
            assert len(entry.attempts[1].submissions) == TARGET
            assert list(entry.attempts[1].proposals) == [1]
        # `finish` has waited for the vote of every site on the last round.
        assert not fleet.deaths
        assert_it_replayed_what_it_missed(fleet, history, before)
        assert_audit_passes(fleet, run)


def assert_it_replayed_what_it_missed(
    fleet: Fleet, history: RunHistory, before: dict[str, int]
) -> None:
    """The site that was gone recomputed rounds, and its store got fewer bytes than a state's."""
    log = (fleet.consortium.home(GONE) / "node.log").read_text()
    replays = re.findall(r"act='replay'", log)
    assert len(replays) >= 3, log
    after = cached(fleet, GONE)
    got = {name: size for name, size in after.items() if name not in before}
    states = {
        str(entry.final_proposal.proposed.state)
        for entry in history.rounds.values()
        if entry.final_proposal
    }
    assert len(got) >= 3 * TARGET
    assert not states & got.keys()
    assert sum(got.values()) < 4 * ELEMENTS


def cached(fleet: Fleet, site: SiteId) -> dict[str, int]:
    """Name what a site's store has fetched so far, with its size in bytes."""
    folder = fleet.consortium.home(site) / "cache"
    return {path.name: path.stat().st_size for path in folder.iterdir()}
