"""Which line of a policy refuses a run, and that every line in force is told of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fednet.airlock import Check, Petition, Promises, Spending, Verdict, check_plan, policy_of
from fednet.domain.identity import Address, Commitment, DatasetId
from fednet.domain.plan import Plan

PLAN = Plan.validated(
    {
        "name": "admission",
        "rounds": 5,
        "task": {"source": "digits", "digest": "a" * 64},
        "model": {"commitment": "1" * 64, "size_bytes": 100},
        "update": {"minimum_examples": 20},
    },
    "plan",
)
PURPOSE = "benign or malignant, study 17"
PETITION = Petition(
    plan=PLAN,
    promises=Promises(frozenset({"secure-aggregation"}), Decimal("2.5"), Decimal("1e-5")),
    researcher=Address("0x" + "aB" * 20),
    purpose=Commitment.of(PURPOSE.encode()),
    dataset=DatasetId(4),
    examples=100,
    class_counts={0: 90, 1: 10},
)
GENEROUS: dict[str, Any] = {
    "plans": {
        "tasks": ["breast-cancer", "digits"],
        "digests": ["a" * 64],
        "researchers": ["0x" + "ab" * 20],
        "purposes": [PURPOSE],
        "mechanisms": ["secure-aggregation", "epsilon <= 3"],
    },
    "data": {"minimum_examples": 100, "minimum_per_class": 10},
    "budgets": {"4": {"updates": 5, "epsilon": 8, "delta": 0.001}},
}


def put(policy: dict[str, Any], petition: Petition = PETITION) -> list[Check]:
    return check_plan(policy_of(policy, "policy"), petition)


def test_a_run_that_keeps_every_line_is_let_in_and_every_line_is_told() -> None:
    checks = put(GENEROUS)
    assert {check.verdict for check in checks} == {Verdict.PASSED}
    assert [check.name for check in checks] == [
        "plans.tasks",
        "plans.digests",
        "plans.researchers",
        "plans.purposes",
        "plans.mechanisms",
        "plans.mechanisms",
        "data.minimum_examples",
        "data.minimum_per_class",
        "budgets.4.updates",
        "budgets.4.epsilon",
        "budgets.4.delta",
    ]


@pytest.mark.parametrize(
    ("policy", "line", "actual"),
    [
        ({"plans": {"tasks": ["breast-cancer"]}}, "plans.tasks", "digits"),
        ({"plans": {"digests": ["b" * 64]}}, "plans.digests", "a" * 64),
        ({"plans": {"researchers": ["0x" + "11" * 20]}}, "plans.researchers", "0x" + "aB" * 20),
        ({"plans": {"purposes": ["another study"]}}, "plans.purposes", str(PETITION.purpose)),
        (
            {"plans": {"mechanisms": ["homomorphic-encryption or epsilon <= 2"]}},
            "plans.mechanisms",
            "secure-aggregation, epsilon 2.5, delta 0.00001",
        ),
        ({"data": {"minimum_examples": 101}}, "data.minimum_examples", "100"),
        ({"data": {"minimum_per_class": 11}}, "data.minimum_per_class", "10"),
        ({"budgets": {"every": {"updates": 0}}}, "budgets.every.updates", "1 with this one; 0"),
        ({"budgets": {"4": {"epsilon": 2}}}, "budgets.4.epsilon", "2.5 with this one; 0"),
    ],
)
def test_the_line_that_refuses_is_named_with_what_came_and_a_remedy(
    policy: dict[str, Any], line: str, actual: str
) -> None:
    refused = [check for check in put(policy) if check.verdict is Verdict.REFUSED]
    assert [check.name for check in refused] == [line]
    assert actual in refused[0].actual
    assert refused[0].remedy
    assert refused[0].error().check == line


def test_a_purpose_may_be_named_by_its_digest() -> None:
    assert put({"plans": {"purposes": [str(PETITION.purpose)]}})[0].verdict is Verdict.PASSED


def test_a_purpose_that_nobody_could_read_is_refused() -> None:
    checks = put(GENEROUS, replace(PETITION, purpose=None))
    assert [c.name for c in checks if c.verdict is Verdict.REFUSED] == ["plans.purposes"]


def test_what_other_runs_spent_counts_and_what_this_one_spent_counts_once() -> None:
    spent = Spending(2, Decimal(6), Decimal("1e-5"))
    others = put(GENEROUS, replace(PETITION, spent=spent))
    assert [c.name for c in others if c.verdict is Verdict.REFUSED] == ["budgets.4.epsilon"]
    for updates in (2, 5):
        own = replace(PETITION, spent=replace(spent, updates=updates), has_begun=True)
        assert not [c for c in put(GENEROUS, own) if c.verdict is Verdict.REFUSED]


def test_a_ceiling_of_another_dataset_is_none_of_this_ones() -> None:
    assert [c.name for c in put({"budgets": {"5": {"updates": 0}}})] == ["data.minimum_examples"]


def test_labels_that_are_no_classes_have_no_rarest_one() -> None:
    checks = put({"data": {"minimum_per_class": 5}}, replace(PETITION, class_counts={}))
    assert [c.name for c in checks] == ["data.minimum_examples"]


def test_a_site_with_less_data_than_the_plan_asks_is_told_so() -> None:
    checks = put({"plans": {"tasks": ["digits"]}}, replace(PETITION, examples=19))
    assert [c.name for c in checks if c.verdict is Verdict.REFUSED] == ["examples"]
