"""When the record of a final round says that the run ends with it."""

from __future__ import annotations

from typing import Any

from fednet.domain import events as ev
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.plan import Plan
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.view import NodeView
from tests.unit.node.views import PLAN, Chain, closed_round, own, proposal_key, waits

PATIENT = Plan.validated(
    PLAN.model_dump()
    | {"evaluation": {"metric": "accuracy", "patience": 2, "lowest": 0, "highest": 1}},
    "plan",
)
VERIFIED: dict[str, Any] = {"verified": {proposal_key()}}
ENDING: dict[str, Any] = VERIFIED | {"ending": {proposal_key()}}


def final_round(plan: Plan = PATIENT) -> Chain:
    return closed_round(plan).propose(2).attest(1, 2).finalize()


def seen(chain: Chain, site: int = 1, after: int = 0, **facts: Any) -> NodeView:
    return chain.view(site, after=after, held=(1, 2, 3), **own(site), **facts)


def test_decide_ends_the_run_once_its_recomputation_says_so() -> None:
    assert decide(seen(final_round(), **ENDING)) == acts.Conclude(RoundNumber(1))


def test_decide_votes_to_end_once() -> None:
    chain = final_round()
    chain.add(ev.RunConcluding, RoundNumber(1), SiteId(1))
    assert "ending the run" in waits(seen(chain, after=3_600, preserved={RoundNumber(1)}, **ENDING))


def test_decide_goes_on_where_the_record_says_nothing() -> None:
    assert isinstance(decide(seen(final_round(), site=2, **VERIFIED)), acts.Advance)


def test_decide_recomputes_before_it_goes_on_or_ends() -> None:
    view = seen(final_round(), site=2)
    assert decide(view) == acts.Recompute(proposal_key(), frozenset())
    without_end = seen(final_round(PLAN), site=2)
    assert isinstance(decide(without_end), acts.Advance)


def test_decide_does_not_end_a_run_by_a_record_that_it_disputes() -> None:
    act = decide(seen(final_round(), site=2, disputed={proposal_key()}))
    assert isinstance(act, acts.Advance)


def test_decide_takes_part_if_another_begins_the_next_round_all_the_same() -> None:
    chain = final_round().start(2)
    assert decide(seen(chain, **ENDING)) == acts.Train(chain.view().attempt_key)


def test_decide_leaves_a_run_that_ended_early() -> None:
    chain = final_round().complete()
    assert isinstance(decide(seen(chain, preserved={RoundNumber(1)}, **ENDING)), acts.Done)


def test_decide_leaves_it_to_the_cohort_whether_the_run_goes_on() -> None:
    chain = final_round().consent(4, 3)
    assert "the cohort" in waits(chain.view(4, after=3_600, held=(1, 2, 3)))
