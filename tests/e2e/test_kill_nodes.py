"""kill -9 of a node at every boundary of a round; the run ends as if nothing had been."""

from __future__ import annotations

import shutil
from pathlib import Path

from fednet.domain.identity import SiteId
from fednet.domain.ledger import turn_position
from tests.e2e.fleet import assert_audit_passes, assert_one_record_each, running_fleet

SITES = 3
ROUNDS: tuple[tuple[str, str, str], ...] = (
    ("intend:before", "train:before", "train:after"),
    ("intend:after", "pledge:before", "pledge:after"),
    ("propose:before", "submit:before", "submit:after"),
    ("propose:after", "publish:before", "publish:after"),
    ("fetch:after", "vote:before", "vote:after"),
    ("", "attest:before", "attest:after"),
)
"""Where the aggregator of each round is killed, then where the two others are.

State and record are published between the intent and the proposal.
"""


def aggregator_of(round_number: int) -> int:
    return turn_position(round_number, 1, 1, SITES) + 1


def test_node_killed_at_every_boundary_goes_on(tmp_path: Path) -> None:
    rounds = len(ROUNDS)
    crashes: dict[SiteId, list[str]] = {SiteId(site): [] for site in range(1, SITES + 1)}
    for number, points in enumerate(ROUNDS, 1):
        for offset, point in enumerate(points):
            site = SiteId((aggregator_of(number) - 1 + offset) % SITES + 1)
            crashes[site] += [f"{number}:{point}"] if point else []
    expected = sorted(point for points in crashes.values() for point in points)

    with running_fleet(tmp_path, sites=SITES, rounds=rounds) as (fleet, _, run):
        for site, points in crashes.items():
            fleet.start(site, ",".join(points))
        fleet.finish(run)
        marks = [path.name for path in tmp_path.glob("site-*/crashed-*")]
        assert sorted(marks) == sorted(f"crashed-{point.replace(':', '-')}" for point in expected)
        assert len(fleet.deaths) == len(expected)
        assert_one_record_each(fleet, run, rounds)
        assert_audit_passes(fleet, run)


def test_node_that_lost_its_journal_sits_the_attempt_out(tmp_path: Path) -> None:
    victim = SiteId(2)
    assert aggregator_of(1) != victim
    with running_fleet(tmp_path, sites=SITES, rounds=2) as (fleet, _, run):
        fleet.on_death = lambda site: shutil.rmtree(fleet.consortium.home(site) / "journal")
        for site in fleet.consortium.sites:
            fleet.start(site, "1:publish:after" if site == victim else "")
        fleet.finish(run)
        assert fleet.deaths == [victim]
        first, second = fleet.consortium.history(run).rounds.values()
        for entry in (first, second):
            assert list(entry.attempts) == [1]
            assert victim in entry.attempts[1].submissions
        assert first.final_proposal is not None
        assert victim not in first.final_proposal.attestations
        assert second.final_proposal is not None
        assert victim in second.final_proposal.attestations
        assert_audit_passes(fleet, run)
