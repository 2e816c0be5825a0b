"""Verdicts on what was measured: by which bound, with which figure, and what was not measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fednet.airlock import (
    Airlock,
    Check,
    Exposure,
    Losses,
    Passage,
    RecordMatch,
    Verdict,
    policy_of,
)

FALL = np.linspace(0, 1, 60, dtype=np.float32)
EXPOSURE = Exposure(
    examples=60,
    class_counts={0: 50, 1: 10},
    losses=Losses(FALL, FALL, FALL, FALL),
    gradients=np.ones(60, np.float32),
    match=RecordMatch(likeness=0.8, chance=0.5, influence=0.1, stretches=90),
)


def judge(content: dict[str, Any], exposure: Exposure = EXPOSURE, **data: int) -> list[Check]:
    others = {"held_out": "others.csv"}
    airlock = Airlock(policy_of({"content": others | content, "data": data}, "policy"))
    return list(airlock.judge(Passage(), exposure, steps=4, parameters=2_000).checks)


def test_only_what_has_a_bound_is_judged() -> None:
    assert judge({}) == []
    assert [check.name for check in judge({"maximum_influence": 0.5})] == [
        "content.maximum_influence"
    ]


def test_a_harmless_update_passes_with_every_figure_told() -> None:
    checks = judge(
        {
            "maximum_likeness": 0.95,
            "maximum_influence": 0.5,
            "maximum_advantage": 0.1,
            "minimum_effective_examples": 20,
            "minimum_mixing": 100,
        },
        minimum_per_class=10,
    )
    assert {check.verdict for check in checks} == {Verdict.PASSED}
    # 60 examples x 4 steps for 2 thousand parameters
    assert [check.figure for check in checks] == [10, 0.8, 0.1, 0.0, 60.0, 120.0]


@pytest.mark.parametrize(
    ("content", "change"),
    [
        ({"maximum_likeness": 0.95}, {"match": RecordMatch(0.99, 1e-9, 0.1, 90)}),
        ({"maximum_influence": 0.5}, {"match": RecordMatch(0.8, 0.5, 0.51, 90)}),
        ({"maximum_advantage": 0.1}, {"losses": Losses(FALL, FALL - 2, FALL, FALL)}),
        ({"minimum_effective_examples": 61}, {}),
        ({"minimum_mixing": 121}, {}),
    ],
)
def test_a_bound_that_is_passed_refuses_and_says_what_to_do(
    content: dict[str, Any], change: dict[str, Any]
) -> None:
    (check,) = judge(content, replace(EXPOSURE, **change))
    assert check.verdict is Verdict.REFUSED
    assert check.name == f"content.{next(iter(content))}"
    assert check.remedy
    assert check.figure is not None


def test_likeness_that_strangers_share_is_none() -> None:
    match = RecordMatch(likeness=0.999, chance=0.2, influence=0.1, stretches=90)
    (check,) = judge({"maximum_likeness": 0.9}, replace(EXPOSURE, match=match))
    assert check.verdict is Verdict.PASSED


def test_one_example_whose_gradient_dwarfs_all_others_is_one_effective_example() -> None:
    lengths = np.full(60, 1e-3, np.float32)
    lengths[7] = 5.0
    (check,) = judge({"minimum_effective_examples": 2}, replace(EXPOSURE, gradients=lengths))
    assert check.verdict is Verdict.REFUSED
    assert check.figure == pytest.approx(1.0, abs=0.05)


def test_a_sample_of_gradients_stands_for_all() -> None:
    exposure = replace(EXPOSURE, examples=600)
    (check,) = judge({"minimum_effective_examples": 600}, exposure)
    assert check.figure == 600.0


@pytest.mark.parametrize(
    ("bound", "change", "why"),
    [
        ("maximum_likeness", {"match": None}, "nobody compared"),
        ("maximum_likeness", {"match": RecordMatch(0, 1, 0, 0)}, "as long as a record"),
        ("maximum_likeness", {"examples": 19}, "fewer than 20"),
        ("maximum_influence", {"match": RecordMatch(0.5, 1, 0, 9)}, "no layer"),
        ("maximum_advantage", {"losses": None}, "content.held_out"),
        (
            "maximum_advantage",
            {"losses": Losses(FALL, FALL, FALL[:19], FALL[:19])},
            "fewer than 20",
        ),
        ("minimum_effective_examples", {"gradients": FALL[:0]}, "gradients"),
        ("minimum_mixing", {"gradients": FALL[:0]}, "gradients"),
    ],
)
def test_what_cannot_be_measured_is_refused_unless_the_policy_lets_it_pass(
    bound: str, change: dict[str, Any], why: str
) -> None:
    exposure, value = replace(EXPOSURE, **change), 1 if bound.startswith("minimum") else 0.9
    (refused,) = judge({bound: value}, exposure)
    assert refused.verdict is Verdict.REFUSED
    assert why in refused.finding
    assert "unmeasured" in refused.remedy
    (passed,) = judge({bound: value, "unmeasured": "pass"}, exposure)
    assert passed.verdict is Verdict.UNMEASURED
    assert why in passed.finding


def test_gradients_of_nothing_are_worth_no_example() -> None:
    exposure = replace(EXPOSURE, gradients=np.zeros(60, np.float32))
    assert judge({"minimum_effective_examples": 1}, exposure)[0].figure == 0.0
