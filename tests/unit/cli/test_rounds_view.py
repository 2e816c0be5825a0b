from __future__ import annotations

from dataclasses import replace

from fednet.cli import rounds_view
from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.evaluation import Evaluation
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    ZERO_DIGEST,
    Address,
    Commitment,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.domain.record import Measured

RUN = RunId(1)
STATE = Commitment.of(b"state")


def log(block: int) -> ev.Log:
    return ev.Log(block, 0, ZERO_DIGEST, Address("0x0"))


def consent(site: int, position: int) -> ev.ConsentGiven:
    return ev.ConsentGiven(log(1), RUN, SiteId(site), GrantId(site), position, 100, 10**9)


def started(number: int, attempt: int = 1, cohort: int = 3) -> ev.AttemptStarted:
    return ev.AttemptStarted(log(2), RUN, RoundNumber(number), attempt, cohort, cohort, 2, 99)


def submitted(site: int, number: int = 1, attempt: int = 1) -> ev.UpdateSubmitted:
    commitment = Commitment.of(bytes([site]))
    return ev.UpdateSubmitted(
        log(3), RUN, RoundNumber(number), SiteId(site), attempt, 0, commitment, 40,
        Locator(commitment),
    )  # fmt: skip


def proposed(verdicts: dict[int, Inclusion]) -> ev.RoundProposed:
    return ev.RoundProposed(
        log(4), RUN, RoundNumber(1), SiteId(7), 1, 1, 1000, Commitment.of(b"record"),
        Locator(ZERO_DIGEST), STATE, ZERO_DIGEST, 99, pack_inclusion(verdicts),
    )  # fmt: skip


def attested(site: int) -> ev.RoundAttested:
    return ev.RoundAttested(log(5), RUN, RoundNumber(1), SiteId(site), 1, 1, Digest(bytes(32)))


CONSENTS = [consent(7, 0), consent(3, 1), consent(9, 2)]
VERDICTS = {0: Inclusion.INCLUDED, 1: Inclusion.INVALID, 2: Inclusion.UNAVAILABLE}


def test_row_names_who_did_what() -> None:
    history = RunHistory.of(
        RUN,
        [*CONSENTS, started(1), submitted(9), submitted(3), submitted(7), proposed(VERDICTS),
         attested(7), attested(3),
         ev.RoundFinalized(log(6), RUN, RoundNumber(1), 1, 1)],
    )  # fmt: skip
    (row,) = rounds_view.rows_of(history)
    assert row.status == "final"
    assert row.submitted == (3, 7, 9)
    assert row.invalid == (3,)
    assert row.unavailable == (9,)
    assert row.proposer == 7
    assert row.attested == (3, 7)
    assert row.state == STATE
    assert "3 invalid" in rounds_view.cells(row)[4]


def test_updates_tell_the_verdict_and_what_a_later_attempt_replaced() -> None:
    history = RunHistory.of(
        RUN,
        [*CONSENTS, started(1), submitted(9), started(1, attempt=2), submitted(7, attempt=2)],
    )
    found = [(row.attempt, row.site, row.verdict) for row in rounds_view.updates_of(history)]
    assert found == [(1, 9, "superseded"), (2, 7, "waiting")]


def test_every_event_of_a_run_has_a_line() -> None:
    kinds = [kind for kind in vars(ev).values() if isinstance(kind, type)]
    for kind in kinds:
        if not issubclass(kind, ev.RunEvent) or kind is ev.RunEvent:
            continue
        fields = dict.fromkeys(kind.__dataclass_fields__, 1)
        assert rounds_view.line(kind(**fields)) != kind.__name__


def test_batches_have_a_line_that_counts() -> None:
    third, sheet = RoundNumber(3), Locator(STATE)
    events = (
        UpdatesBatched(log(1), RUN, third, SiteId(7), 1, STATE, sheet, (3,), bytes(74)),
        CommitteeDrawn(log(1), RUN, third, 1, 1, seed_block=9, size=4, members=0),
        AttestationsBatched(log(1), RUN, third, 1, 1, bytes(303)),
    )
    found = [rounds_view.line(event) for event in events]
    assert found == [
        "round 3: site 7 handed in 2 updates",
        "round 3: a committee of 4 was drawn",
        "round 3: 3 signed attestations were carried",
    ]


def test_metric_stands_in_the_line_of_the_round_that_made_the_state() -> None:
    def measured(of_round: int, pooled: str, best_round: int) -> Measured:
        said = Evaluation(
            metric="accuracy", pooled=pooled, best="0.9", best_round=best_round, best_state="0" * 64
        )
        return Measured(said, of_round, {SiteId(1): pooled})

    events = [consent(site, site - 1) for site in (1, 2, 3)]
    history = RunHistory.of(RUN, [*events, started(1), started(2), started(3)])
    plain = rounds_view.rows_of(history)
    assert rounds_view.columns_of(plain) == rounds_view.COLUMNS
    found = [None, measured(1, "0.9", 1), measured(2, "0.8", 1)]
    rows = [replace(row, measured=each) for row, each in zip(plain, found, strict=True)]
    assert rounds_view.columns_of(rows)[-1] == "accuracy"
    write = rounds_view.cells_among(rows)
    assert [write(row)[-1] for row in rows] == ["0.9 (best)", "0.8", ""]
    assert rounds_view.measured_text(measured(2, "0.8", 1)) == (
        "0.8 after round 2; best 0.9 after round 1"
    )
