"""Ten sites on a real chain and store, of which some vanish at each step of a masked round.

Three vanish at one step after the other, a round each, and come back. Every state is then,
bit for bit, the one that follows from the same fixed-point numbers added in the clear. Of
five that vanish there are too few left: attempt after attempt ends, and no secret comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fednet.audit import AuditReport, audit_run
from fednet.cli.rehearsing import Stage
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Phase, turn_position
from fednet.domain.masking_events import SharesDisclosed
from fednet.simulation import Step, Vanishing
from tests.masked_rehearsal import ALL, SITES, Played, play, ten_sites

THREE, FIVE = 3, 5
OF_EVERY_CHAIN = {"unanchored", "single-operator"}
THERE_AND_GONE = (Step.SUBMITTING, Step.FREEZING, Step.UNMASKING)
"""Whoever vanishes at these has said whose shares it holds, and discloses none."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ten_sites(tmp_path_factory.mktemp("masked") / "home") as opened:
        yield opened


def gone(number: int, attempt: int, count: int) -> set[SiteId]:
    """Name who vanishes: those whose turn to aggregate comes first."""
    first = turn_position(number, attempt, 1, SITES)
    return {ALL[(first + at) % SITES] for at in range(count)}


def told_of(report: AuditReport) -> set[tuple[str, int | None, str]]:
    """List what an audit tells beside what it says of every chain of one's own."""
    return {
        (each.code, each.round, each.subject)
        for each in report.findings
        if each.code not in OF_EVERY_CHAIN
    }


def audit(played: Played, folder: Path) -> AuditReport:
    return audit_run(
        played.stage.reader, played.stage.store, played.run, work_dir=folder, fetch_seconds=5.0
    )


def test_three_of_ten_vanish_at_each_step_and_each_sum_is_that_in_the_clear(
    stage: Stage, tmp_path: Path
) -> None:
    played = play(stage, Vanishing(THREE), rounds=len(Step))
    assert played.rehearsal.is_complete
    for step in Step:
        number = RoundNumber(int(step))
        assert list(played.history.rounds[number].attempts) == [1], step
        # Who vanishes once the set is frozen has been counted.
        away = gone(number, 1, THREE) if step <= Step.FREEZING else set()
        counted = [site for site in ALL if site not in away]
        record = played.record(number)
        included = [entry.site for entry in record.updates if entry.verdict == "included"]
        assert included == counted, step
        assert played.state(number).tobytes() == played.clear_state(number, 1, counted), step
    report = audit(played, tmp_path)
    assert report.verified, report.findings
    assert report.accused == ()
    silent = [(int(step), site) for step in THERE_AND_GONE for site in gone(int(step), 1, THREE)]
    unseen = gone(int(Step.FREEZING), 1, THREE)
    assert told_of(report) == {
        ("shares-withheld", number, f"shares at site {site} in round {number}, attempt 1")
        for number, site in silent
    } | {
        ("update-withheld", 5, f"update of site {site} in proposal 1 of round 5, attempt 1")
        for site in unseen
    }


def test_below_the_threshold_attempts_end_and_nothing_is_unmasked(
    stage: Stage, tmp_path: Path
) -> None:
    steps = tuple(step for step in Step if step <= Step.UNMASKING)
    played = play(stage, Vanishing(FIVE, steps), sections=[("timing", "max_attempts", len(steps))])
    assert stage.reader.state(played.run).phase is Phase.ABORTED
    assert sorted(played.history.rounds[RoundNumber(1)].attempts) == list(map(int, steps))
    told = [
        event
        for event in stage.reader.masking_events(played.run)
        if isinstance(event, SharesDisclosed)
    ]
    # Only in the last attempt was a set frozen, with all ten in it; then five kept theirs back.
    left = set(ALL) - gone(1, len(steps), FIVE)
    assert {(event.attempt, event.site) for event in told} == {(len(steps), site) for site in left}
    recovery = played.published(1, len(steps)).recover()
    assert recovery.secrets == {}
    assert recovery.missing.keys() == set(ALL)
    report = audit(played, tmp_path)
    assert report.accused == ()
    assert {code for code, _, _ in told_of(report)} == {"nothing-to-verify", "shares-withheld"}
