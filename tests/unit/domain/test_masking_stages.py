"""Where a masked attempt stands, and what each site did in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.domain import events as run_events
from fednet.domain import masking_events as ev
from fednet.domain.identity import (
    ZERO_DIGEST,
    Address,
    Commitment,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.masking_stages import MaskingHistory, MaskingStage, MaskingState, MaskingTimes

RUN, ONE, TWO = RunId(1), SiteId(1), SiteId(2)
NOWHERE = Address("0x" + "00" * 20)
TIMES = MaskingTimes(key_seconds=10, share_seconds=20, holding_seconds=30, freeze_seconds=40)
RUN_DEADLINE = 1_000
BLOB = {"commitment": Commitment.of(b"blob"), "locator": Locator(b"\1" * 32)}
KEYS = {"mask_key": b"m" * 32, "channel_key": b"c" * 32}


def record(kind: Any, block: int, *, round_number: int = 1, attempt: int = 1, **fields: Any) -> Any:
    log = run_events.Log(block, 0, ZERO_DIGEST, NOWHERE)
    return kind(log=log, run=RUN, round=RoundNumber(round_number), attempt=attempt, **fields)


def whole_attempt(**place: int) -> list[Any]:
    return [
        record(ev.KeysAdvertised, 1, site=ONE, **KEYS, **place),
        record(ev.KeysAdvertised, 2, site=TWO, **KEYS, **place),
        record(ev.KeysClosed, 3, advertised=2, **place),
        record(ev.SharesDealt, 4, site=TWO, **BLOB, **place),
        record(ev.SharesHeld, 5, site=TWO, holding=b"\1", **place),
        record(ev.SetProposed, 6, site=ONE, number=1, inclusion=b"\2", **place),
        record(ev.SetAffirmed, 7, site=TWO, number=1, **place),
        record(ev.SetProposed, 8, site=TWO, number=2, inclusion=b"", **place),
        record(ev.SetAffirmed, 9, site=TWO, number=2, **place),
        record(ev.SetFrozen, 9, number=2, **place),
        record(ev.SharesDisclosed, 10, site=TWO, **BLOB, **place),
    ]


def state(stage: MaskingStage, deadline: int, number: int = 0) -> MaskingState:
    return MaskingState(
        RoundNumber(1), 1, stage, deadline, advertised=3, dealt=2, held=0, affirmed=0,
        number=number, frozen=ZERO_DIGEST, seed_block=7,
    )  # fmt: skip


def test_history_keeps_what_each_site_did_in_each_attempt() -> None:
    events = whole_attempt()
    history = MaskingHistory.fold([*events, *whole_attempt(attempt=2)])
    assert list(history.attempts) == [(1, 1), (1, 2)]
    attempt = history.attempt(RoundNumber(1), 1)
    assert attempt.keys == {ONE: events[0], TWO: events[1]}
    assert attempt.closed == events[2]
    assert attempt.seed_block == 3
    assert attempt.dealings == {TWO: events[3]}
    assert attempt.holdings == {TWO: events[4]}
    assert [each.proposed for each in attempt.sets.values()] == [events[5], events[7]]
    assert attempt.sets[1].affirmations == {TWO: events[6]}
    assert attempt.frozen_set is attempt.sets[2]
    assert attempt.frozen_inclusion == b""
    assert attempt.disclosures == {TWO: events[10]}


def test_history_grows_event_by_event_to_the_same() -> None:
    events, history = whole_attempt(), MaskingHistory()
    for event in events:
        history.extend([event])
    assert history == MaskingHistory.fold(events)


def test_nothing_is_frozen_before_a_quorum_and_nobody_acted_in_other_attempts() -> None:
    history = MaskingHistory.fold(whole_attempt()[:9])
    attempt = history.attempt(RoundNumber(1), 1)
    assert attempt.frozen_set is None
    assert attempt.frozen_inclusion is None
    other = history.attempt(RoundNumber(2), 1)
    assert (other.keys, other.closed, other.seed_block) == ({}, None, None)
    assert (RoundNumber(2), 1) not in history.attempts


def test_other_ledgers_events_do_not_count() -> None:
    log = run_events.Log(1, 0, ZERO_DIGEST, NOWHERE)
    aborted = run_events.RunAborted(log, RUN, RoundNumber(1), NOWHERE)
    assert MaskingHistory.fold([aborted]).attempts == {}


@pytest.mark.parametrize(
    ("stage", "now", "then", "deadline"),
    [
        (MaskingStage.KEYS, 500, MaskingStage.KEYS, 100),
        (MaskingStage.SHARES, 100, MaskingStage.SHARES, 100),
        (MaskingStage.SHARES, 101, MaskingStage.HOLDINGS, 130),
        (MaskingStage.SHARES, 130, MaskingStage.HOLDINGS, 130),
        (MaskingStage.SHARES, 131, MaskingStage.MASKED, RUN_DEADLINE),
        (MaskingStage.HOLDINGS, 100, MaskingStage.HOLDINGS, 100),
        (MaskingStage.HOLDINGS, 101, MaskingStage.MASKED, RUN_DEADLINE),
        (MaskingStage.MASKED, 500, MaskingStage.MASKED, 100),
        (MaskingStage.FREEZING, 100, MaskingStage.FREEZING, 100),
        (MaskingStage.FREEZING, 101, MaskingStage.FREEZING, RUN_DEADLINE),
        (MaskingStage.UNMASKING, 500, MaskingStage.UNMASKING, 100),
    ],
)
def test_stages_close_by_themselves_when_their_time_is_over(
    stage: MaskingStage, now: int, then: MaskingStage, deadline: int
) -> None:
    before = state(stage, 100, number=1)
    expected = replace(before, stage=then, deadline=deadline)
    assert before.at(now, TIMES, RUN_DEADLINE) == expected


def test_time_before_masked_updates_is_that_of_three_stages() -> None:
    assert TIMES.before_masked == 60
