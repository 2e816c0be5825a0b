from __future__ import annotations

import pytest

from fednet.errors import PlanError
from fednet.privacy.homomorphic import CKKS
from fednet.privacy.homomorphic.agreement import form_of, numbers_of
from tests.unit.domain.test_homomorphic_section import ENCRYPTED, plan_with


def test_a_plan_names_the_form_and_bounds_the_numbers() -> None:
    sites = {"cohort": {"minimum_updates": 3, "maximum_sites": 4}}
    plan = plan_with(**(ENCRYPTED | sites | {"update": {"maximum_examples": 1000}}))

    numbers = numbers_of(plan)

    assert form_of(plan) is CKKS
    # 4 * (1000 * 0.5 * 2**20 + 1/2) fits in 2**31 - 1, and twice as much does not.
    assert (numbers.clip, numbers.exponent) == (0.5, 20)
    assert 4 * numbers.largest(1000) <= CKKS.largest


def test_too_many_sites_of_too_much_weight_are_refused() -> None:
    with pytest.raises(PlanError) as caught:
        numbers_of(plan_with(**(ENCRYPTED | {"update": {"maximum_examples": 1 << 29}})))

    assert "examples" in str(caught.value.hint)
