"""What a site may still spend: the plan's promise, its own book, and the ledger's ceiling."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from fednet.domain.disclosures import (
    NO_LOSS,
    DatasetBudget,
    DatasetUse,
    PrivacyLoss,
    ReleaseStatus,
)
from fednet.domain.identity import DatasetId, RoundNumber, RunId, SiteId
from fednet.domain.privacy import Budget, Expense, NoisySteps
from fednet.errors import BudgetExceededError, PrivacyError
from fednet.privacy.accounting import Allowance, Book, forecast, spent_by
from tests.unit.privacy.test_forecast import plan

SITE, DATASET, RUN, OTHER = SiteId(3), DatasetId(4), RunId(1), RunId(2)
STEPS = NoisySteps(1_400, 32, Decimal("1.1"), 88)
PROMISE = Budget(Decimal(3), Decimal("0.00001"))


def expense(number: int = 1, run: RunId = RUN, attempt: int = 1) -> Expense:
    return Expense(DATASET, run, RoundNumber(number), attempt, STEPS)


def allowance(
    ceiling: PrivacyLoss,
    *expenses: Expense,
    spent: PrivacyLoss = NO_LOSS,
    by_run: PrivacyLoss = NO_LOSS,
    promise: Budget = PROMISE,
) -> Allowance:
    """Make what a site knows; ``spent`` is that of all runs together."""
    budget = DatasetBudget(
        DATASET, SITE, ceiling.epsilon_micro, ceiling.delta_pico,
        spent.epsilon_micro, spent.delta_pico, 0,
    )  # fmt: skip
    last = RoundNumber(1 if by_run.epsilon_micro else 0)
    use = DatasetUse(
        RUN, DATASET, RoundNumber(0), 0, ReleaseStatus.NONE, last,
        by_run.epsilon_micro, by_run.delta_pico,
    )  # fmt: skip
    return Allowance(SITE, promise, budget, use, Book(expenses))


def loss(epsilon: str, delta: str = "0.00001") -> PrivacyLoss:
    return PrivacyLoss.of(Decimal(epsilon), Decimal(delta))


def cost(*numbers: int) -> Decimal:
    return spent_by((STEPS for _ in numbers), PROMISE.delta)


@pytest.mark.parametrize("ceiling", [NO_LOSS, PrivacyLoss(0, 10), PrivacyLoss(10, 0)])
def test_without_a_ceiling_nothing_may_be_spent(ceiling: PrivacyLoss) -> None:
    with pytest.raises(BudgetExceededError) as caught:
        allowance(ceiling).charge(expense())
    assert caught.value.subject == "dataset 4"
    assert "fednet privacy ceiling 4 --epsilon" in caught.value.hint


def test_a_training_is_paid_for_and_the_next_adds_up_as_a_curve() -> None:
    book, spent = allowance(loss("3")).charge(expense())
    assert spent.run == spent.dataset == Budget(cost(1), PROMISE.delta)
    said = PrivacyLoss.of(cost(1), PROMISE.delta)
    again = allowance(loss("3"), *book.expenses, spent=said, by_run=said)
    assert again.charge(expense(2))[1].run.epsilon == cost(1, 2) < 2 * cost(1)


def test_what_was_paid_for_costs_nothing_more_even_at_the_ceiling() -> None:
    said = PrivacyLoss.of(cost(1), PROMISE.delta)
    at_the_end = allowance(said, expense(), spent=said, by_run=said)
    book, spent = at_the_end.charge(expense())
    assert (book.expenses, spent.run.epsilon) == ((expense(),), cost(1))
    with pytest.raises(BudgetExceededError):
        at_the_end.charge(expense(1, attempt=2))


@pytest.mark.parametrize("spare", [0, -1])
def test_the_ceiling_holds_for_all_runs_together_to_the_last_millionth(spare: int) -> None:
    own = PrivacyLoss.of(cost(1), PROMISE.delta)
    others = loss("1.5")
    ceiling = others + own
    known = allowance(replace(ceiling, epsilon_micro=ceiling.epsilon_micro + spare), spent=others)
    if spare == 0:
        assert known.charge(expense())[1].run.epsilon == cost(1)
        return
    with pytest.raises(BudgetExceededError) as caught:
        known.charge(expense())
    assert caught.value.subject == "dataset 4"
    assert "round 1 of run 1 would go past" in caught.value.message
    assert str(others) in str(caught.value.actual)
    assert "raise the ceiling: fednet privacy ceiling 4" in caught.value.hint


def test_deltas_add_up_over_runs_too() -> None:
    with pytest.raises(BudgetExceededError):
        allowance(loss("9", "0.000019"), spent=loss("0.1")).charge(expense())
    allowance(loss("9", "0.00002"), spent=loss("0.1")).charge(expense())


def test_the_plans_promise_is_kept_below_any_ceiling() -> None:
    promise = Budget(cost(1), PROMISE.delta)
    book, _ = allowance(loss("9"), promise=promise).charge(expense())
    with pytest.raises(BudgetExceededError, match="the plan's promise") as caught:
        allowance(loss("9"), *book.expenses, promise=promise).charge(expense(2))
    assert "fednet run withdraw" in caught.value.hint


def test_a_site_that_forgot_what_it_spent_spends_no_more() -> None:
    said = PrivacyLoss.of(cost(1, 2), PROMISE.delta)
    for known in ((), (expense(),)):
        with pytest.raises(PrivacyError, match="behind the ledger") as caught:
            allowance(loss("9"), *known, spent=said, by_run=said).charge(expense(3))
        assert "restore" in caught.value.hint
    whole = (expense(), expense(2))
    allowance(loss("9"), *whole, spent=said, by_run=said).charge(expense(3))


def test_a_whole_run_that_would_pass_the_ceiling_is_refused_beforehand() -> None:
    asked = plan()
    whole = PrivacyLoss.of(forecast(asked, 1_400).epsilon, asked.privacy.delta)
    allowance(whole).require_whole_run(asked, 1_400)
    short = replace(whole, epsilon_micro=whole.epsilon_micro - 1)
    with pytest.raises(BudgetExceededError, match="the whole run of 10 rounds") as caught:
        allowance(short).require_whole_run(asked, 1_400)
    assert "sit this run out" in caught.value.hint
    with pytest.raises(BudgetExceededError, match="nobody has set"):
        allowance(NO_LOSS).require_whole_run(asked, 1_400)
