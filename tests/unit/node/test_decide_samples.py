"""Decisions in a run whose module draws who trains."""

from __future__ import annotations

import pytest

from fednet.domain import events as ev
from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan
from fednet.domain.samples import sampled_positions
from fednet.node.acts import Draw, Drop, Train, Wait
from fednet.node.decide import STAGGER_SECONDS, decide
from tests.unit.node.views import RUN, Chain, attempt_key, make_plan, waits

SEED = 7
SAMPLED = 2
PLAN = Plan.validated(
    make_plan().model_dump() | {"module": {"name": "sampled", "sampled_sites": SAMPLED}}, "plan"
)
DRAWN = {at + 1 for at in sampled_positions(RUN, (1, 1), SEED, 3, SAMPLED)}
"""Sites, whose positions are one less."""


def begun() -> Chain:
    return Chain(plan=PLAN).start()


def drawn() -> Chain:
    chain = begun()
    chain.add(ev.SampleDrawn, 1, 1, 4, SEED)
    return chain


@pytest.mark.parametrize(("site", "rank"), [(2, 0), (3, 1), (1, 2)])
def test_decide_draws_the_sample_in_turn(site: int, rank: int) -> None:
    chain, turn = begun(), rank * STAGGER_SECONDS
    assert decide(chain.view(site, after=turn)) == Draw(attempt_key())
    if rank:
        act = decide(chain.view(site, after=turn - 1))
        assert act == Wait("another draws the sample", chain.state.since + turn)


def test_decide_draws_again_after_a_draw_was_put_off() -> None:
    chain = begun()
    chain.add(ev.SampleDrawn, 1, 1, 300, 0)
    assert decide(chain.view(2)) == Draw(attempt_key())


def test_decide_trains_only_where_drawn() -> None:
    chain = drawn()
    for site in (1, 2, 3):
        if site in DRAWN:
            assert decide(chain.view(site)) == Train(attempt_key())
        else:
            assert "others were drawn" in waits(chain.view(site))
    assert len(DRAWN) == SAMPLED


def test_decide_draws_nothing_where_the_whole_cohort_trains() -> None:
    whole = {"name": "sampled", "sampled_sites": 3}
    plan = Plan.validated(PLAN.model_dump() | {"module": whole}, "plan")
    assert decide(Chain(plan=plan).start().view(2)) == Train(attempt_key())


def test_decide_drops_only_sites_that_are_waited_for() -> None:
    chain = drawn()
    (outside,) = {1, 2, 3} - DRAWN
    awaited = min(DRAWN)
    later = 60
    for site in (1, 2, 3):
        if site != outside:
            assert decide(chain.view(site, after=later, lost=(outside,))) == Train(attempt_key())
    assert "others were drawn" in waits(chain.view(outside, after=later))
    act = decide(chain.view(outside, after=later, lost=(awaited,)))
    assert act == Drop(SiteId(awaited))


def test_decide_leaves_the_draw_to_members_of_the_cohort() -> None:
    chain = begun().consent(4, 3)
    assert "training" in waits(chain.view(4, after=60))
