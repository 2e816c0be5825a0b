"""Tell what a site may still spend of a dataset in a run: by its own book, and by the ledger.

Two sums have to hold. The book adds up Renyi curves over all runs; the ledger, which knows
no curves, adds up the runs' epsilons and deltas. Whichever is reached first ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.disclosures import DatasetBudget, DatasetUse, PrivacyLoss
from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan
from fednet.domain.privacy import Budget, Expense, Spent
from fednet.errors import BudgetExceededError, PrivacyError
from fednet.privacy.accounting.book import Book, spent_by
from fednet.privacy.accounting.forecast import forecast


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is known before a training of a run is paid for."""

    site: SiteId
    promise: Budget
    """Of the run's plan."""
    budget: DatasetBudget
    """Of the dataset over all runs, as the ledger has it."""
    use: DatasetUse
    """What the run made of it, as the ledger has it."""
    book: Book
    """Of the dataset, as this site keeps it."""

    def charge(self, expense: Expense) -> tuple[Book, Spent]:
        """Pay for a training whose update is to leave; return the new book and what it says.

        What was paid for before costs nothing more.

        Raises:
            BudgetExceededError: It would break the promise, or go past the ceiling.
            PrivacyError: The site's book is behind the ledger, or no epsilon is finite.
        """
        self._require_ceiling()
        self._require_memory()
        if self.book.holds(expense):
            return self.book, self._stated(expense)
        steps = (*self.book.of_run(expense.run), expense.steps)
        run = Budget(spent_by(steps, self.promise.delta), self.promise.delta)
        if run.epsilon <= self.promise.epsilon:
            self._require_room(run, f"round {expense.round} of run {expense.run}")
        return self.book.charge(self.site, expense, self.promise, self._ceiling)

    def require_whole_run(self, plan: Plan, examples: int) -> None:
        """Refuse a run that would not reach its last round, before anybody consents to it.

        Args:
            plan: With a mechanism.
            examples: Of the dataset.

        Raises:
            BudgetExceededError: Its forecast is past the ceiling.
            PrivacyError: There is so little noise that no epsilon is finite.
        """
        self._require_ceiling()
        whole = Budget(forecast(plan, examples).epsilon, self.promise.delta)
        self._require_room(whole, f"the whole run of {plan.rounds} rounds")

    @property
    def _ceiling(self) -> Budget:
        return Budget(self.budget.ceiling.epsilon, self.budget.ceiling.delta)

    def _stated(self, expense: Expense) -> Spent:
        everything = (each.steps for each in self.book.expenses)
        return Spent(
            self.site,
            expense,
            Budget(spent_by(self.book.of_run(expense.run), self.promise.delta), self.promise.delta),
            Budget(spent_by(everything, self._ceiling.delta), self._ceiling.delta),
        )

    def _require_ceiling(self) -> None:
        ceiling, dataset = self.budget.ceiling, self.budget.dataset
        if not ceiling.epsilon_micro or not ceiling.delta_pico:
            raise BudgetExceededError(
                "nobody has set what may be spent of this dataset's privacy",
                subject=f"dataset {dataset}",
                expected="a ceiling on the ledger",
                actual=str(ceiling),
                hint="whoever answers for the data sets it: "
                f"fednet privacy ceiling {dataset} --epsilon E --delta D --reason TEXT",
            )

    def _require_memory(self) -> None:
        """Raise if the ledger says of a run that more was spent than the book knows of."""
        known = self.book.of_run(self.use.run)
        epsilon = spent_by(known, self.promise.delta) if known else 0
        if self.use.spent.epsilon > epsilon:
            raise PrivacyError(
                "this site's account of what it spent is behind the ledger",
                subject=f"dataset {self.budget.dataset}, run {self.use.run}",
                expected=f"at least {self.use.spent}",
                actual=f"epsilon {epsilon}",
                hint="restore the folder privacy/ of the home from a copy; until then, train in "
                "no run that spends privacy",
            )

    def _require_room(self, run: Budget, what: str) -> None:
        """Raise if a run's sum, on top of the others', would be past the ceiling."""
        others = self.budget.spent - self.use.spent
        total = others + PrivacyLoss.of(run.epsilon, run.delta)
        if not total.is_within(self.budget.ceiling):
            raise BudgetExceededError(
                f"{what} would go past what may be spent of the dataset, over all runs",
                subject=f"dataset {self.budget.dataset}",
                expected=f"at most {self.budget.ceiling}",
                actual=f"{total}, of which other runs spent {others}",
                hint="sit this run out, or have whoever answers for the data raise the ceiling: "
                f"fednet privacy ceiling {self.budget.dataset} --epsilon E --delta D --reason TEXT",
            )
