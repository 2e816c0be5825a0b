from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain import canonical
from fednet.domain.evaluation import Evaluation, Judgement, fixed_text, follow, pool
from fednet.domain.sections import EvaluationSection

STATES = ["ab" * 32, "cd" * 32, "ef" * 32, "01" * 32, "23" * 32, "45" * 32]


def section(**changes: Any) -> EvaluationSection:
    return EvaluationSection.model_validate(
        {"metric": "accuracy", "lowest": 0, "highest": 1} | changes
    )


def play(section: EvaluationSection, *values: str) -> list[Evaluation]:
    """Judge one state after the other by one site."""
    found: list[Evaluation] = []
    for number, value in enumerate(values):
        before = found[-1] if found else None
        after = follow(section, before, [Judgement(value, 10, 10)], number, STATES[number])
        assert after is not None
        found.append(after)
    return found


def test_pooled_metric_is_the_mean_over_examples() -> None:
    judgements = [Judgement("0.5", 10, 10), Judgement("0.9", 30, 30)]
    assert pool(section(), judgements) == Fraction("0.8")


def test_nobody_weighs_more_than_the_examples_it_was_granted() -> None:
    honest, liar = Judgement("0.5", 90, 90), Judgement("1", 1 << 60, 10)
    assert pool(section(), [honest, liar]) == Fraction("0.55")


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6),
    st.integers(1, 1 << 62),
    st.integers(1, 1_000),
)
def test_a_liar_moves_the_pool_by_its_share_at_most(
    value: Any, evaluated: int, weight: int
) -> None:
    others = [Judgement("0.25", 60, 60), Judgement("0.75", 40, 40)]
    liar = Judgement(canonical.decimal_text(value), evaluated, weight)
    share = Fraction(min(evaluated, weight), 100 + min(evaluated, weight))
    assert abs(pool(section(), [*others, liar]) - pool(section(), others)) <= share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "0.333333333"),
        (Fraction(2, 3), "0.666666667"),
        (Fraction(-1, 3), "-0.333333333"),
        (Fraction(1), "1"),
        (Fraction(0), "0"),
        (Fraction(1, 2), "0.5"),
        (Fraction(5, 10**10), "0"),
        (Fraction(15, 10**10), "0.000000002"),
        (Fraction(25, 10**10), "0.000000002"),
        (Fraction(-5, 10**10), "0"),
        (Fraction(10**39) + Fraction(1, 10**9), "1" + "0" * 39 + ".000000001"),
    ],
)
def test_rounds_half_to_even(value: Fraction, text: str) -> None:
    assert fixed_text(value) == text


def test_best_is_the_earliest_of_equals() -> None:
    last = play(section(), "0.5", "0.7", "0.7", "0.6")[-1]
    assert (last.pooled, last.best) == ("0.6", "0.7")
    assert (last.best_round, last.best_state) == (1, STATES[1])


def test_lower_is_better_where_the_goal_is_to_minimise() -> None:
    found = play(section(goal="minimise", target="0.3"), "0.9", "0.4", "0.5", "0.3")
    assert [each.best_round for each in found] == [0, 1, 1, 3]
    assert [each.ends for each in found] == ["", "", "", "target"]


def test_a_reached_target_ends_the_run_for_good() -> None:
    found = play(section(target="0.8"), "0.1", "0.8", "0.2")
    assert [each.ends for each in found] == ["", "target", "target"]


def test_patience_ends_the_run_after_as_many_rounds_without_a_better_one() -> None:
    found = play(section(patience=2), "0.1", "0.5", "0.4", "0.5", "0.9")
    assert [each.ends for each in found] == ["", "", "", "patience", "patience"]


def test_nothing_is_recorded_where_the_plan_asks_for_no_metric() -> None:
    assert follow(EvaluationSection(), None, [], 0, STATES[0]) is None
