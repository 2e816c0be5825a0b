from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fednet.credits import CREDIT_RULES, accumulate, credit_rule_of, share_out
from fednet.domain.identity import SiteId
from fednet.errors import AggregationError, PlanError

WEIGHTS = st.dictionaries(
    st.integers(1, 10_000),
    st.one_of(st.just(1), st.integers(1, 50), st.integers(1, 1 << 40)),
    min_size=1,
    max_size=40,
)
POOLS = st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 1 << 40))


@pytest.mark.parametrize(
    ("pool", "weights", "expected"),
    [
        (10, {1: 1, 2: 1, 3: 1}, {1: 4, 2: 3, 3: 3}),  # equal remainders: lowest id first
        (1000, {1: 10, 2: 20, 3: 30}, {1: 167, 2: 333, 3: 500}),  # 166.67, 333.33, 500
        (1, {7: 1, 9: 2}, {7: 0, 9: 1}),
        (5, {4: 3}, {4: 5}),
        (0, {1: 1, 2: 5}, {1: 0, 2: 0}),
    ],
)
def test_share_out_gives_largest_remainders_first(
    pool: int, weights: dict[SiteId, int], expected: Any
) -> None:
    assert share_out(pool, weights) == expected


@given(POOLS, WEIGHTS)
def test_share_out_gives_the_pool_exactly(pool: int, weights: dict[SiteId, int]) -> None:
    shares = share_out(pool, weights)
    assert sum(shares.values()) == pool
    assert shares.keys() == weights.keys()


@given(POOLS, WEIGHTS)
def test_share_out_stays_within_one_of_the_exact_share(
    pool: int, weights: dict[SiteId, int]
) -> None:
    total = sum(weights.values())
    for site, share in share_out(pool, weights).items():
        assert pool * weights[site] // total <= share <= pool * weights[site] // total + 1


@given(POOLS, WEIGHTS)
def test_share_out_gives_more_weight_no_less(pool: int, weights: dict[SiteId, int]) -> None:
    shares = share_out(pool, weights)
    for site, weight in weights.items():
        for other, lighter in weights.items():
            assert weight <= lighter or shares[site] >= shares[other]


@given(POOLS, WEIGHTS, st.randoms(use_true_random=False))
def test_share_out_does_not_see_the_order(
    pool: int, weights: dict[SiteId, int], random: Any
) -> None:
    order = list(weights)
    random.shuffle(order)
    shuffled = share_out(pool, {site: weights[site] for site in order})
    assert list(shuffled.items()) == list(share_out(pool, weights).items())


@pytest.mark.parametrize("weights", [{}, {1: 0}, {1: 5, 2: -1}])
def test_share_out_refuses_nobody_and_weightless_sites(weights: dict[SiteId, int]) -> None:
    with pytest.raises(AggregationError):
        share_out(10, weights)


def test_accumulate_adds_and_leaves_out_sites_with_nothing() -> None:
    assert accumulate({3: 5, 1: 2}, {2: 0, 3: 1, 4: 9}) == {1: 2, 3: 6, 4: 9}


@given(st.lists(st.tuples(POOLS, WEIGHTS), max_size=5))
def test_accumulated_credits_add_up_and_never_fall(rounds: Any) -> None:
    earned = {}
    for pool, weights in rounds:
        after = accumulate(earned, share_out(pool, weights))
        assert all(after[site] >= amount for site, amount in earned.items())
        earned = after
    assert sum(earned.values()) == sum(pool for pool, _ in rounds)


def test_credit_rules_have_names() -> None:
    assert credit_rule_of("examples") is CREDIT_RULES["examples"]
    with pytest.raises(PlanError) as caught:
        credit_rule_of("friends")
    assert caught.value.actual == "friends"
