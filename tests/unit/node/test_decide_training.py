"""Training goes on aside: when it begins, what becomes of it, and what it keeps nobody from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.domain.events import RoundProposed
from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.places import AttemptKey, TrainingOrder
from fednet.node.view import Training
from tests.unit.node.views import (
    PLAN,
    Chain,
    attempt_key,
    closed_round,
    commitment_of,
    own,
    pledge_of,
    proposal_key,
    waits,
)

INITIAL = Commitment(PLAN.model.commitment)
LATE = Plan.validated(
    PLAN.model_dump(mode="json")
    | {
        "cohort": {
            "minimum_sites": 3, "target_sites": 3, "minimum_updates": 2, "target_updates": 2,
        },
        "staleness": {"rounds": 1},
    },
    "plan",
)  # fmt: skip


def state_of(round_number: int) -> Commitment:
    """Name a state as a proposal of a round does, in these tests."""
    return Commitment.of(f"state {round_number}".encode())


def order_of(key: AttemptKey, base: Commitment = INITIAL) -> TrainingOrder:
    return TrainingOrder(key, base)


def facts(order: TrainingOrder, **how: bool) -> dict[str, Any]:
    return {"training": Training(order, **how)}


FIRST = order_of(attempt_key())


class Rounds(Chain):
    """A chain whose rounds end in states of their own, by updates of sites 2 and 3."""

    def pass_round(self, *voters: int) -> None:
        number = self.state.round
        self.submit(2, 3).close().propose(2)
        proposed = self.log[-1]
        assert isinstance(proposed, RoundProposed)
        self.log[-1] = replace(proposed, state=state_of(number))
        self.attest(*voters).finalize().start(number + 1)


def late_chain(rounds: int, voters: tuple[int, ...] = (1, 2, 3)) -> Rounds:
    chain = Rounds(plan=LATE)
    chain.start()
    for _ in range(rounds):
        chain.pass_round(*voters)
    return chain


# While it goes on


def test_a_node_that_trains_waits_for_it_and_begins_no_second_one() -> None:
    assert "is training" in waits(Chain().start().view(**facts(FIRST)))


def test_a_node_that_trains_judges_and_votes_all_the_same() -> None:
    chain = late_chain(0)
    chain.submit(2, 3).close().propose(2)
    view = chain.view(held=(2, 3), **facts(FIRST))
    assert decide(view) == acts.Recompute(proposal_key(), frozenset())


def test_a_node_that_trains_votes_late_on_what_became_final() -> None:
    view = late_chain(1, voters=(2, 3)).view(held=(2, 3), **facts(FIRST))
    assert decide(view) == acts.Recompute(proposal_key(), frozenset())


# When it is over


def test_what_is_trained_is_wrapped_for_its_attempt() -> None:
    view = Chain().start().view(**facts(FIRST, is_over=True))
    assert decide(view) == acts.Wrap(attempt_key())


def test_what_is_trained_is_wrapped_once() -> None:
    pledged = {attempt_key(): pledge_of(1)}
    view = Chain().start().view(pledges=pledged, **facts(FIRST, is_over=True))
    assert decide(view) == acts.Submit(attempt_key())


def test_a_training_that_failed_is_given_up_whatever_the_phase() -> None:
    failed = facts(FIRST, is_over=True, failed=True)
    assert decide(Chain().start().view(**failed)) == acts.Discard(FIRST)
    late = Chain(plan=LATE).start().submit(2, 3).close()
    assert decide(late.view(**failed)) == acts.Discard(FIRST)


# When nobody can use it any more


@pytest.mark.parametrize("is_over", [False, True])
def test_without_staleness_a_training_ends_with_its_attempt(is_over: bool) -> None:
    training = facts(FIRST, is_over=is_over)
    closed = Chain().start().submit(2, 3).close()
    assert decide(closed.view(**training)) == acts.Discard(FIRST)
    again = Chain().start().start(attempt=2)
    assert decide(again.view(**training)) == acts.Discard(FIRST)


@pytest.mark.parametrize("over", ["complete", "abort"])
def test_a_training_ends_with_its_run(over: str) -> None:
    chain = closed_round()
    getattr(chain, over)()
    assert decide(chain.view(**facts(FIRST))) == acts.Discard(FIRST)


def test_a_training_ends_with_the_consent_to_the_run() -> None:
    assert decide(Chain().start().end(1).view(**facts(FIRST))) == acts.Discard(FIRST)


# Late


def test_a_training_outlives_its_round_where_late_updates_are_taken() -> None:
    chain = late_chain(1)
    assert "is training" in waits(chain.view(**facts(FIRST)))
    assert decide(chain.view(**facts(FIRST, is_over=True))) == acts.Wrap(attempt_key(2))


def test_a_training_that_would_be_too_late_is_stopped() -> None:
    assert decide(late_chain(2).view(**facts(FIRST))) == acts.Discard(FIRST)


def test_lateness_is_counted_from_the_state_not_from_the_attempt() -> None:
    order = order_of(attempt_key(2), state_of(1))
    view = late_chain(2).view(**facts(order, is_over=True))
    assert decide(view) == acts.Wrap(attempt_key(3))


def test_what_missed_its_stage_is_wrapped_anew_for_the_next() -> None:
    missed = {
        "pledges": {attempt_key(): pledge_of(1)},
        "sat_out": {attempt_key(): "the stage closed"},
    }
    view = late_chain(1).view(**missed, **facts(FIRST, is_over=True))
    assert decide(view) == acts.Wrap(attempt_key(2))


def test_nothing_is_handed_in_while_a_final_round_is_disputed() -> None:
    disputed = {"disputed": {proposal_key(1)}}
    view = late_chain(1).view(**disputed, **facts(FIRST, is_over=True))
    assert "another record" in waits(view)


def test_what_was_handed_in_is_not_handed_in_twice() -> None:
    chain = Chain(plan=LATE).start().submit(1, 2).close()
    spent = chain.view(**own(), **facts(FIRST, is_over=True))
    assert decide(spent) == acts.Discard(FIRST)
    trained_anew = Chain(plan=LATE).start().submit(1, 2).start(attempt=2).view(**own())
    assert decide(trained_anew) == acts.Train(attempt_key(attempt=2))


def test_anothers_row_in_this_sites_name_spends_nothing() -> None:
    chain = Chain(plan=LATE).start().submit(1, 2).start(attempt=2)
    other = {attempt_key(): pledge_of(1, round_number=7)}
    assert commitment_of(1) != other[attempt_key()].commitment
    view = chain.view(pledges=other, **facts(FIRST, is_over=True))
    assert decide(view) == acts.Wrap(attempt_key(attempt=2))
