"""A plan with encrypted updates: what it may say, and what cannot stand beside it."""

from __future__ import annotations

from typing import Any

import pytest

from fednet.domain.plan import Plan
from fednet.errors import PlanError

KEY = "5a" * 32
ENCRYPTED: dict[str, Any] = {
    "homomorphic": {"scheme": "ckks", "key": KEY, "aggregators": [5, 6, 7], "clip": "0.5"},
    "cohort": {"minimum_updates": 3},
}


def plan_with(**sections: Any) -> Plan:
    raw = {
        "name": "p",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
    }
    return Plan.validated(raw | sections, "plan")


def test_encrypted_plan_reads_back_from_its_bytes() -> None:
    plan = plan_with(**ENCRYPTED)
    assert plan.is_encrypted
    assert plan.homomorphic.aggregators == (5, 6, 7)
    assert Plan.from_bytes(plan.to_bytes()) == plan


def test_another_plan_encrypts_nothing() -> None:
    assert not plan_with().is_encrypted


@pytest.mark.parametrize(("named", "majority"), [([1, 2, 3], 2), ([1, 2, 3, 4], 3)])
def test_majority_is_more_than_half_of_the_aggregators(named: list[int], majority: int) -> None:
    section = ENCRYPTED["homomorphic"] | {"aggregators": named}
    assert plan_with(**(ENCRYPTED | {"homomorphic": section})).homomorphic.majority == majority


@pytest.mark.parametrize(
    ("fields", "reason", "remedy"),
    [
        ({"scheme": "none"}, "nothing is encrypted", 'scheme = "ckks"'),
        ({"key": ""}, "key must name", "fednet homomorphic new-key"),
        ({"clip": 0}, "largest magnitude", "clip must be above 0"),
        ({"aggregators": []}, "0 aggregators", "name at least 3"),
        ({"aggregators": [5, 6]}, "no majority of fewer than 3", "that are not in the run"),
        ({"aggregators": [6, 5, 7]}, "ascending order", "each once"),
        ({"aggregators": [5, 5, 7]}, "ascending order", "each once"),
    ],
)
def test_section_that_cannot_work_is_refused(
    fields: dict[str, Any], reason: str, remedy: str
) -> None:
    section = ENCRYPTED["homomorphic"] | fields
    with pytest.raises(PlanError) as caught:
        plan_with(**(ENCRYPTED | {"homomorphic": section}))
    assert reason in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "reason", "remedy"),
    [
        (
            {"module": {"name": "masked"}, "masking": {"clip": 1}},
            "masks need no encryption",
            'module.name = "plain"',
        ),
        ({"module": {"name": "batched"}}, "the batched module", 'module.name = "plain"'),
        (
            {"module": {"name": "sampled", "sampled_sites": 4}},
            "the sampled module",
            'module.name = "plain"',
        ),
        ({"aggregation": {"rule": "krum"}}, "krum compares", 'aggregation.rule = "fedavg"'),
        ({"aggregation": {"rule": "median"}}, "median compares", 'homomorphic.scheme = "none"'),
        ({"aggregation": {"rule": "norm-bounding", "norm": 1}}, "one by one", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "fednova"}}, "its own steps", 'rule = "fedavg"'),
        ({"update": {"codec": "int8"}}, "cannot be added up", 'update.codec = "float32"'),
        ({"training": {"algorithm": "scaffold"}}, "control variate", "training.algorithm"),
        ({"cohort": {"minimum_updates": 2}}, "each site the other's", "minimum_updates to 3"),
        (
            {"cohort": {"minimum_updates": 3, "maximum_sites": 1_001}},
            "names every update",
            "at most 1000",
        ),
        ({"staleness": {"rounds": 1}}, "weight inside", "staleness.rounds = 0"),
        ({"timing": {"reveal_seconds": 0}}, "before they publish", "reveal_seconds above 0"),
        ({"privacy": {"sealed": True}}, "sealed to the aggregators", "privacy.sealed = false"),
        ({"evaluation": {"metric": "accuracy"}}, "one by one", 'metric = ""'),
        ({"clusters": {"method": "ifca", "count": 2}}, "a small one hides", "clusters.count = 1"),
    ],
)
def test_what_needs_single_updates_is_refused_beside_encryption(
    sections: Any, reason: str, remedy: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan_with(**(ENCRYPTED | sections))
    assert reason in str(caught.value)
    assert remedy in str(caught.value)
    assert "homomorphic:" in str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {"training": {"algorithm": "fedprox", "proximal_mu": 1}},
        {"server": {"optimizer": "fedadam"}},
        {"cohort": {"minimum_updates": 3, "target_updates": 3}},
        {"update": {"travelling": ["body.*"], "personal": ["head.*"]}},
    ],
)
def test_what_adds_nothing_of_a_single_update_stands_beside_it(sections: Any) -> None:
    assert plan_with(**(ENCRYPTED | sections)).is_encrypted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheme", "bfv"),
        ("key", "5a"),
        ("clip", "1e13"),
        ("aggregators", [0, 1, 2]),
        ("aggregators", [1.5, 2, 3]),
        ("aggregators", list(range(1, 66))),
        ("threshold", 2),
    ],
)
def test_field_out_of_range_is_refused(field: str, value: object) -> None:
    section = ENCRYPTED["homomorphic"] | {field: value}
    with pytest.raises(PlanError, match=f"homomorphic.{field}"):
        plan_with(**(ENCRYPTED | {"homomorphic": section}))
