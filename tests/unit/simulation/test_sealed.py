"""A plan that seals is not rehearsed as if it did not."""

from __future__ import annotations

import pytest

from fednet.domain.plan import Plan
from fednet.errors import PlanError
from fednet.simulation.engine import _require_unsealed
from tests.unit.domain.test_homomorphic_section import ENCRYPTED, plan_with
from tests.unit.domain.test_plan import MINIMAL


def test_a_rehearsal_refuses_to_seal_and_names_the_remedy() -> None:
    with pytest.raises(PlanError) as caught:
        _require_unsealed(Plan.from_toml(MINIMAL + "[privacy]\nsealed = true\n"))
    assert "--set privacy.sealed=false" in caught.value.hint
    _require_unsealed(Plan.from_toml(MINIMAL))


def test_a_rehearsal_refuses_a_plan_that_encrypts() -> None:
    with pytest.raises(PlanError) as caught:
        _require_unsealed(plan_with(**ENCRYPTED))
    assert "without its section [homomorphic]" in caught.value.hint
