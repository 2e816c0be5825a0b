"""Epsilon against Opacus' accountant, and a book that refuses to go past its ceilings."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal
from statistics import NormalDist

import pytest

from fednet.domain.identity import DatasetId, RoundNumber, RunId, SiteId
from fednet.domain.privacy import Budget, Expense, NoisySteps, Spent
from fednet.errors import BudgetExceededError, MalformedBlobError, PrivacyError
from fednet.privacy.accounting import Book, curve_of, epsilon_of, round_up, spent_by
from fednet.privacy.accounting.logarithms import log_erfc, log_subtract

DELTA = Decimal("0.00001")
CASES = [
    # examples, batch, noise multiplier, steps
    (1_000, 32, "1", 100),
    (180, 32, "0.7", 600),
    (10_000, 5, "0.5", 2_000),
    (1_000_000, 1, "4", 10),
    (150, 100, "20", 1_000),
    (64, 64, "3", 50),
    (64, 100, "3", 50),
]


def noise(examples: int, batch: int, multiplier: str, steps: int) -> NoisySteps:
    return NoisySteps(examples, batch, Decimal(multiplier), steps)


def opacus_epsilon(*trainings: NoisySteps) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [
            (float(each.noise_multiplier), each.sample_rate, each.steps) for each in trainings
        ]
        return float(accountant.get_epsilon(float(DELTA)))


@pytest.mark.parametrize("case", CASES)
def test_epsilon_is_that_of_opacus(case: tuple[int, int, str, int]) -> None:
    ours = epsilon_of(curve_of([noise(*case)]), float(DELTA))
    assert ours == pytest.approx(opacus_epsilon(noise(*case)), abs=1e-9)


def test_different_trainings_add_up_as_with_opacus() -> None:
    trainings = [noise(*case) for case in CASES[:3]]
    ours = epsilon_of(curve_of(trainings), float(DELTA))
    assert ours == pytest.approx(opacus_epsilon(*trainings), abs=1e-9)


def test_gaussian_noise_without_sampling_is_bounded_closely() -> None:
    # The exact delta of the Gaussian mechanism: Balle and Wang, 2018, theorem 8,
    # https://arxiv.org/abs/1805.06530.
    def exact_delta(epsilon: float, sigma: float) -> float:
        below = NormalDist().cdf(1 / (2 * sigma) - epsilon * sigma)
        return below - math.exp(epsilon) * NormalDist().cdf(-1 / (2 * sigma) - epsilon * sigma)

    ours = epsilon_of(curve_of([noise(9, 9, "5", 1)]), 1e-5)
    assert exact_delta(ours, 5.0) <= 1e-5 < exact_delta(0.9 * ours, 5.0)


def test_nothing_costs_nothing() -> None:
    assert spent_by([], DELTA) == 0
    assert spent_by([noise(100, 10, "1", 0)], DELTA) == 0


def test_more_noise_fewer_steps_or_more_examples_cost_less() -> None:
    base = spent_by([noise(1_000, 32, "1", 100)], DELTA)
    assert spent_by([noise(1_000, 32, "1.1", 100)], DELTA) < base
    assert spent_by([noise(1_000, 32, "1", 99)], DELTA) < base
    assert spent_by([noise(1_100, 32, "1", 100)], DELTA) < base


def test_epsilon_is_rounded_up_and_written_plainly() -> None:
    assert str(round_up(2.6928759790469705)) == "2.692876"
    assert str(round_up(2.0)) == "2"
    assert str(round_up(1e-9)) == "0.000001"
    assert format(round_up(30.0), "f") == "30"


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, float("nan")])
def test_delta_must_be_a_probability(delta: float) -> None:
    with pytest.raises(PrivacyError):
        epsilon_of(curve_of([noise(100, 10, "1", 1)]), delta)


def test_tails_are_known_where_floats_end() -> None:
    # log erfc: Wolfram Alpha's N[Log[Erfc[x]], 12]
    assert log_erfc(1.0) == pytest.approx(-1.84960550993, abs=1e-11)
    assert log_erfc(30.0) == pytest.approx(-903.974117110, abs=1e-8)
    assert log_erfc(19.999999) == pytest.approx(log_erfc(20.000001), abs=1e-4)
    with pytest.raises(ValueError, match="negative"):
        log_subtract(0.0, 1.0)


SITE, DATASET = SiteId(3), DatasetId(7)
PROMISE = Budget(Decimal(3), DELTA)
GENEROUS = Budget(Decimal(100), DELTA)


def expense(run: int = 1, round_number: int = 1, steps: int = 100, attempt: int = 1) -> Expense:
    made = noise(1_000, 32, "1", steps)
    return Expense(DATASET, RunId(run), RoundNumber(round_number), attempt, made)


def test_book_charges_until_the_promise_would_break() -> None:
    book, spent = Book().charge(SITE, expense(), PROMISE, GENEROUS)
    assert spent.run == Budget(Decimal("2.692876"), DELTA)
    assert book.holds(expense())
    assert not book.holds(expense(attempt=2))
    with pytest.raises(BudgetExceededError) as caught:
        book.charge(SITE, expense(attempt=2), PROMISE, GENEROUS)
    assert caught.value.actual == spent_by([expense().steps] * 2, DELTA)
    assert "promise" in caught.value.message
    assert "attempt 2" in caught.value.subject
    assert "withdraw" in caught.value.hint


def test_runs_of_a_dataset_spend_from_one_ceiling() -> None:
    ceiling = Budget(Decimal("3.5"), DELTA)
    book, first = Book().charge(SITE, expense(run=1), PROMISE, ceiling)
    assert first.dataset == first.run
    book, second = book.charge(SITE, expense(run=2, steps=60), PROMISE, ceiling)
    assert second.run.epsilon < first.run.epsilon < second.dataset.epsilon
    # together they cost less than their sum
    assert second.dataset.epsilon < first.run.epsilon + second.run.epsilon
    with pytest.raises(BudgetExceededError) as caught:
        book.charge(SITE, expense(run=3), PROMISE, ceiling)
    assert caught.value.subject == "dataset 7"
    assert "3.5" in str(caught.value.expected)


def test_spent_budget_reads_back_from_its_bytes() -> None:
    spent = Book().charge(SITE, expense(), PROMISE, GENEROUS)[1]
    data = spent.to_bytes()
    assert Spent.from_bytes(data) == spent
    assert b'"run_epsilon":"2.692876"' in data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"attempt":1', b'"attempt":0'),
        (b'"attempt":1', b'"attempt":true'),
        (b'"examples":1000', b'"examples":0'),
        (b'"2.692876"', b'"-2.692876"'),
        (b'"2.692876"', b'"2.6928760"'),
        (b'"2.692876"', b'"NaN"'),
        (b'"site":3', b'"site":3,"sits":3'),
        (b"fednet-spent/1", b"fednet-spent/2"),
    ],
)
def test_statement_of_another_form_is_refused(old: bytes, new: bytes) -> None:
    data = Book().charge(SITE, expense(), PROMISE, GENEROUS)[1].to_bytes()
    assert old in data
    with pytest.raises(MalformedBlobError):
        Spent.from_bytes(data.replace(old, new))
