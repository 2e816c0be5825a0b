"""What plan and cohort make of the masks, and which plans can never work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fednet.domain.plan import Plan
from fednet.errors import PlanError
from fednet.privacy.masking import FixedPoint, Parameters, Ring, agree_on, require_maskable


def masked_plan(
    sites: int = 10, minimum: int | None = None, examples: int = 1_000, **masking: Any
) -> Plan:
    return Plan.validated(
        {
            "name": "p",
            "rounds": 1,
            "task": {"source": "digits", "digest": "0" * 64},
            "model": {"commitment": "0" * 64, "size_bytes": 1},
            "cohort": {
                "minimum_sites": sites if minimum is None else minimum,
                "target_sites": sites,
                "maximum_sites": sites,
            },
            "update": {"maximum_examples": examples},
            "module": {"name": "masked"},
            "masking": {"clip": 4, "colluding": "0.3", "vanishing": "0.3"} | masking,
        },
        "plan",
    )


def test_attempt_is_fitted_to_its_own_cohort() -> None:
    plan = masked_plan(minimum=8)
    agreed = agree_on(plan, 10)
    # Of 10, 3 may vanish: 6 of the 9 others are left, and 7 updates.
    assert agreed.parameters == Parameters(9, 6, 7)
    assert agreed.least_updates == 7
    expected = FixedPoint.fit(Ring.BITS_32, Decimal(4), 1_000, 10, clips=True)
    assert agreed.fixed_point == expected
    assert agree_on(plan, 8).fixed_point.most_sites == 8


def test_plans_own_minimum_of_updates_counts_where_it_is_higher() -> None:
    plan = masked_plan()
    more = plan.model_copy(update={"cohort": plan.cohort.model_copy(update={"minimum_updates": 9})})
    assert agree_on(more, 10).least_updates == 9


def test_ring_of_64_bits_and_refusal_of_large_values_are_the_plans() -> None:
    agreed = agree_on(masked_plan(ring_bits=64, clips=False), 10)
    assert agreed.fixed_point.ring is Ring.BITS_64
    assert not agreed.fixed_point.clips


def test_plan_that_can_work_is_maskable() -> None:
    assert require_maskable(masked_plan()) == agree_on(masked_plan(), 10)


def test_ring_too_small_for_the_weights_is_refused() -> None:
    most = (2**31 - 1) // 256 // 10
    require_maskable(masked_plan(examples=most))
    with pytest.raises(PlanError) as caught:
        require_maskable(masked_plan(examples=most + 1))
    assert "too small for these weights" in str(caught.value)
    assert caught.value.actual == f"10 * {most + 1}"
    assert "64 bits" in caught.value.hint
    assert f"(update.maximum_examples) to {most}" in caught.value.hint
    require_maskable(masked_plan(examples=most + 1, ring_bits=64))


def test_plan_that_leaves_the_cap_on_examples_open_is_told_one() -> None:
    with pytest.raises(PlanError) as caught:
        require_maskable(masked_plan(examples=1 << 30))
    assert "to 838860 at most" in caught.value.hint  # (2**31 / 10) / 256
    require_maskable(masked_plan(examples=838860))


def test_cohort_without_a_safe_threshold_is_named() -> None:
    # 3 of 7 collude and 3 vanish, as parts are rounded up: of the 6 others 3 are left.
    require_maskable(masked_plan(minimum=8))
    with pytest.raises(PlanError) as caught:
        require_maskable(masked_plan(minimum=6))
    assert "in a cohort of 7" in str(caught.value)
    assert "raise cohort.minimum_sites to 8" in caught.value.hint


def test_no_cohort_that_the_plan_lets_begin_is_safe() -> None:
    with pytest.raises(PlanError) as caught:
        require_maskable(masked_plan(sites=7, minimum=7))
    assert "raise cohort.minimum_sites and cohort.maximum_sites" in caught.value.hint


def test_largest_cohort_is_looked_at_too() -> None:
    with pytest.raises(PlanError, match="no threshold is safe"):
        require_maskable(masked_plan(sites=200, minimum=200, colluding="0.5", vanishing="0.5"))
