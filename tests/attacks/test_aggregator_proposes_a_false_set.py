"""The turn's aggregator proposes a set of masked updates that calls an honest one invalid.

Masks hide what an update says, not whether its bytes are one. Alone the aggregator loses its
turn: members judge the bytes for themselves and do not affirm, and the next site's set is
frozen. With a majority that affirms whatever it proposes the attempt is lost, since no honest
site makes a proposal of such a set; and everybody who vouched for it is convicted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, RoundVerdict, audit_run
from fednet.cli.rehearsing import Stage
from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.simulation import Member
from tests.attacks.lie import Found, Liar, Lie, Overcome
from tests.masked_rehearsal import ALL, Played, play, ten_sites

LIE = Lie(
    "A set of masked updates calls an honest one invalid",
    Liar.AGGREGATOR,
    (
        Found("set-false", 33),
        Found("affirmation-false", 33),
        Overcome("members affirm none that the bytes contradict, and the next site proposes one"),
    ),
    "who proposed the set, and who affirmed it",
)
LIAR, VICTIM = SiteId(4), SiteId(7)
"""The first turn of round 1, attempt 1 is position (1 + 1 + 1) % 10."""
FALSE = pack_inclusion({VICTIM - 1: Inclusion.INVALID})


class LyingWriter:
    """The aggregator's account: whatever set its node proposes, another one is sent."""

    def __init__(self, writer: Any, friends: dict[SiteId, Any]) -> None:
        self._writer = writer
        self._friends = friends

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def propose_set(
        self, run: RunId, site: SiteId, number: RoundNumber, attempt: int, inclusion: bytes
    ) -> Any:
        receipt = self._writer.propose_set(run, site, number, attempt, FALSE)
        for friend, writer in self._friends.items():
            writer.affirm_set(run, friend, number, attempt, 1)
        return receipt


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ten_sites(tmp_path_factory.mktemp("masked") / "home") as opened:
        yield opened


@contextmanager
def lied_to(stage: Stage, friends: Collection[SiteId] = ()) -> Iterator[Played]:
    """Play a round in which the first aggregator lies, and its friends affirm."""
    writers = {member.site: member.writer for member in stage.crowd.members}

    def corrupt(member: Member) -> None:
        if member.site == LIAR:
            chosen = {site: writers[site] for site in friends}
            member.writer = LyingWriter(member.writer, chosen)  # type: ignore[assignment]

    try:
        yield play(stage, corrupt=corrupt)
    finally:
        for member in stage.crowd.members:
            member.writer = writers[member.site]


def audit(played: Played, folder: Path) -> AuditReport:
    stage = played.stage
    return audit_run(stage.reader, stage.store, played.run, work_dir=folder, fetch_seconds=5.0)


def test_false_set_is_affirmed_by_nobody_and_the_next_one_counts(
    stage: Stage, tmp_path: Path
) -> None:
    with lied_to(stage) as played:
        assert played.rehearsal.is_complete
        sets = played.masking.attempt(RoundNumber(1), 1).sets
        assert (sets[1].proposed.site, sets[1].affirmations) == (LIAR, {})
        assert len(sets[2].affirmations) >= 6
        assert played.state(1).tobytes() == played.clear_state(1, 1, ALL)
        LIE.saw(LIE.answers[2])
        report = audit(played, tmp_path)
        (false,) = LIE.found(report, LIAR)
        assert (
            false.message == f"calls the update of site {VICTIM} invalid, which passes the intake"
        )
        assert report.rounds[0].verdict is RoundVerdict.VERIFIED


def test_majority_that_freezes_a_false_set_loses_the_attempt_and_is_convicted(
    stage: Stage, tmp_path: Path
) -> None:
    friends = [SiteId(number) for number in (1, 2, 3, 4, 5, 6)]
    with lied_to(stage, friends) as played:
        # The attempt is lost with its frozen set; the next one's first turn is an honest site's.
        assert played.rehearsal.is_complete
        attempts = played.history.rounds[RoundNumber(1)].attempts
        assert [bool(each.proposals) for each in attempts.values()] == [False, True]
        assert played.state(1).tobytes() == played.clear_state(1, 2, ALL)
        report = audit(played, tmp_path)
        found = LIE.found(report, *friends)
        assert {each.code: each.accused for each in found} == {
            "set-false": LIAR,
            "affirmation-false": SiteId(6),
        }
        # Who proposed it is convicted of that, and of nothing twice.
        assert len(found) == len(friends)


def test_honest_round_accuses_nobody(stage: Stage, tmp_path: Path) -> None:
    played = play(stage)
    report = audit(played, tmp_path)
    assert report.verified
    assert report.accused == ()
    assert {each.code for each in report.findings} <= {"unanchored", "single-operator", "unproven"}
