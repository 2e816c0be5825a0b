"""Keep account of one dataset at one site: what was spent, and what may not be.

What is added up is the Renyi curve, so that several runs of a dataset cost less
together than the sum of their epsilons. Epsilon is written rounded up to
millionths: floats of two machines may differ in their last digits, a promise not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from fednet.domain.identity import RunId, SiteId
from fednet.domain.privacy import Budget, Expense, NoisySteps, Spent
from fednet.errors import BudgetExceededError
from fednet.privacy.accounting.renyi import curve_of, epsilon_of

_UNIT = Decimal("0.000001")


def spent_by(noise: Iterable[NoisySteps], delta: Decimal) -> Decimal:
    """Return the epsilon, rounded up to millionths, that trainings of one dataset cost together.

    Raises:
        PrivacyError: There is so little noise that none is finite.
    """
    return round_up(epsilon_of(curve_of(noise), float(delta)))


def round_up(epsilon: float) -> Decimal:
    """Write an epsilon as a promise does: a decimal that is never too small."""
    return Decimal(repr(epsilon)).quantize(_UNIT, rounding=ROUND_CEILING).normalize() + 0


@dataclass(frozen=True, slots=True)
class Book:
    """Hold every expense of one dataset, over all runs, in the order in which they left."""

    expenses: tuple[Expense, ...] = ()

    def of_run(self, run: RunId) -> tuple[NoisySteps, ...]:
        """Return the noise of one run's expenses."""
        return tuple(each.steps for each in self.expenses if each.run == run)

    def holds(self, expense: Expense) -> bool:
        """Tell whether this very training was paid for: an update may be sent again, not made."""
        return expense in self.expenses

    def charge(
        self, site: SiteId, expense: Expense, promise: Budget, ceiling: Budget
    ) -> tuple[Book, Spent]:
        """Pay for a training before its update leaves; return the new book and what it says.

        Args:
            site: Who pays.
            expense: The training.
            promise: Of the run's plan, for each site and the whole run.
            ceiling: Of the site itself, for this dataset over all runs.

        Raises:
            BudgetExceededError: It would break the promise, or go past the ceiling.
            PrivacyError: There is so little noise that no epsilon is finite.
        """
        after = Book((*self.expenses, expense))
        by_run = spent_by(after.of_run(expense.run), promise.delta)
        by_all = spent_by((each.steps for each in after.expenses), ceiling.delta)
        if by_run > promise.epsilon:
            raise BudgetExceededError(
                "this training would break the plan's promise",
                subject=f"run {expense.run}, round {expense.round}, attempt {expense.attempt}",
                expected=f"epsilon of at most {promise.epsilon} at delta {promise.delta}",
                actual=by_run,
                hint="sit this run out from here on: fednet run withdraw RUN; a plan with more "
                "noise, fewer rounds or larger datasets spends less (fednet privacy plan FILE)",
            )
        if by_all > ceiling.epsilon:
            raise BudgetExceededError(
                "this training would go past the site's own ceiling",
                subject=f"dataset {expense.dataset}",
                expected=f"epsilon of at most {ceiling.epsilon} at delta {ceiling.delta}",
                actual=by_all,
                hint="all runs of a dataset spend from one budget; sit this run out, or have "
                "whoever answers for the data raise the ceiling in the site's policy",
            )
        spent = Spent(site, expense, Budget(by_run, promise.delta), Budget(by_all, ceiling.delta))
        return after, spent
