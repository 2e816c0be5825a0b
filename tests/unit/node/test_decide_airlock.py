"""Where the airlock stands among a node's decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import Commitment, DatasetId, RoundNumber
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.view import Examination, Held
from tests.unit.node.views import RUN, Chain, attempt_key, closed_round, own, waits

FIRST, SECOND = attempt_key(), attempt_key(1, 2)
RECORD = AirlockRecord(
    AirlockStep.APPROVED, RUN, RoundNumber(1), 1, DatasetId(4), Commitment.of(b"report")
)


def held(step: AirlockStep | None = None, *, waits: bool = False, deadline: int = 1_050) -> Held:
    return Held(7, deadline, waits, step, "a reason")


def see(after: int = 0, **facts: Any) -> Any:
    return Chain().start().view(after=after, **facts)


def test_an_update_that_the_airlock_looks_into_is_waited_for() -> None:
    assert "looks into the update" in waits(see(examination=Examination(FIRST)))


def test_what_the_airlock_found_is_judged_and_another_attempts_is_not() -> None:
    assert decide(see(examination=Examination(FIRST, is_over=True))) == acts.Judge(FIRST)
    assert decide(see(examination=Examination(SECOND, is_over=True))) == acts.Train(FIRST)


def test_a_request_that_waits_is_left_until_its_deadline() -> None:
    wait = decide(see(requests={FIRST: held(waits=True)}))
    assert isinstance(wait, acts.Wait)
    assert (wait.until, "airlock show 7" in wait.reason) == (1_051, True)
    late = see(after=51, requests={FIRST: held(waits=True)})
    assert decide(late) == acts.Settle(FIRST, in_time=True)


def test_a_request_that_waits_for_nobody_is_settled_at_once() -> None:
    assert decide(see(requests={FIRST: held()})) == acts.Settle(FIRST, in_time=True)


def test_an_update_that_was_returned_is_made_again_while_there_is_time() -> None:
    requests = {FIRST: held(AirlockStep.RETURNED)}
    assert decide(see(requests=requests)) == acts.Train(FIRST)
    view = see(requests=requests)
    last = view.state.deadline - view.state.since  # it took no time at all
    assert decide(see(after=last, requests=requests)) == acts.Train(FIRST)
    slow = {FIRST: replace(requests[FIRST], asked=view.state.since + last)}
    assert decide(see(requests=slow)) == acts.Train(FIRST)
    assert "the airlock keeps update 7 in" in waits(see(after=1, requests=slow))
    judged = see(after=1, requests=slow, examination=Examination(FIRST, is_over=True))
    assert decide(judged) == acts.Judge(FIRST)


@pytest.mark.parametrize("step", [AirlockStep.REJECTED, AirlockStep.EXPIRED])
def test_an_update_that_stays_is_not_made_again(step: AirlockStep) -> None:
    assert "the airlock keeps update 7 in, a reason" in waits(see(requests={FIRST: held(step)}))


def test_an_update_is_released_after_the_ledger_was_told() -> None:
    requests = {FIRST: held(AirlockStep.APPROVED)}
    assert decide(see(requests=requests, untold=(RECORD,))) == acts.Tell(RECORD)
    assert decide(see(requests=requests)) == acts.Release(FIRST)


def test_an_update_that_is_committed_to_is_sent_whatever_else_was_asked() -> None:
    facts = own() | {"requests": {FIRST: held(AirlockStep.APPROVED)}}
    assert decide(see(**facts)) == acts.Submit(FIRST)


def test_what_was_asked_for_an_attempt_that_is_over_is_decided_first() -> None:
    chain = Chain().start().start(attempt=2)
    view = chain.view(requests={FIRST: held(waits=True), SECOND: held(waits=True)})
    assert decide(view) == acts.Settle(FIRST, in_time=False)
    closed = closed_round().view(requests={FIRST: held(waits=True)})
    assert decide(closed) == acts.Settle(FIRST, in_time=False)


def test_what_the_ledger_is_to_learn_keeps_a_node_from_nothing_else() -> None:
    others = closed_round().view(site=1, untold=(RECORD,), after=25, held=(2, 3), **own())
    assert isinstance(decide(others), acts.Propose)
    idle = see(requests={FIRST: held(AirlockStep.REJECTED)}, untold=(RECORD,))
    assert decide(idle) == acts.Tell(RECORD)


def test_an_obstacle_stands_over_an_approval() -> None:
    view = see(requests={FIRST: held(AirlockStep.APPROVED)}, obstacle="the policy changed")
    assert "the policy changed" in waits(view)
