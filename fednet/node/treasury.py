"""Pay for what a site's noisy trainings betray: refuse first, write down, tell the ledger.

1. Before a training: would the dataset's ceiling, or the plan's promise, be passed?
2. Before its update is committed to: the expense stands on this disk, by the training's
   own name, so that the same training is paid for once however often it is wrapped.
3. Then the ledger hears what the run has spent so far, before it hears of the update.
"""

from __future__ import annotations

from threading import RLock

from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import DatasetId, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.domain.privacy import Budget, Expense, Spent, noise_of_training
from fednet.errors import BudgetExceededError, PrivacyError, RevertedError
from fednet.node.expenses import ExpenseBook
from fednet.node.places import AttemptKey
from fednet.privacy.accounting import Allowance, Book

_BEHIND = ("SpendingFell", "SpendingOutOfOrder")
"""Refusals of a ledger that knows of more than this site does."""


class Treasurer:
    """Pay for the trainings of one site, of whatever run; used by several threads.

    Args:
        site: The site.
        reader: Of the ledger.
        writer: Of the account that acts for the site.
        book: What it spent so far.
    """

    def __init__(
        self, site: SiteId, reader: LedgerReader, writer: LedgerWriter, book: ExpenseBook
    ) -> None:
        self._site = site
        self._reader = reader
        self._writer = writer
        self._book = book
        self._lock = RLock()

    def require_room(
        self, plan: Plan, run: RunId, key: AttemptKey, dataset: DatasetId, examples: int
    ) -> None:
        """Refuse a training whose update could not be paid for.

        Raises:
            PrivacyError: It would break the promise or go past the ceiling.
            LedgerError: The ledger does not say what is left.
        """
        steps = noise_of_training(plan.training, plan.privacy, examples)
        expense = Expense(dataset, run, key.round, key.attempt, steps)
        self._allowance(plan, run, self._book.book(dataset), dataset).charge(expense)

    def pay(self, plan: Plan, expense: Expense, number: RoundNumber) -> Spent:
        """Pay for a training whose update is to be committed to; again changes nothing.

        Args:
            plan: Of the run.
            expense: Named by the attempt that the training was begun for.
            number: Round that the update is for.

        Raises:
            PrivacyError: It would break the promise or go past the ceiling.
            LedgerError: The ledger could not be told now; what is paid stays paid.
            SettingsError: The disk refuses.
        """
        with self._lock:

            def charge(book: Book) -> tuple[Book, Spent]:
                return self._allowance(plan, expense.run, book, expense.dataset).charge(expense)

            spent = self._book.charge(expense, charge)
            self._tell(expense, number, PrivacyLoss.of(spent.run.epsilon, spent.run.delta))
            return spent

    def _allowance(self, plan: Plan, run: RunId, book: Book, dataset: DatasetId) -> Allowance:
        return Allowance(
            self._site,
            Budget(plan.privacy.epsilon, plan.privacy.delta),
            self._reader.budget(dataset),
            self._reader.dataset_use(run, dataset),
            book,
        )

    def _tell(self, expense: Expense, number: RoundNumber, loss: PrivacyLoss) -> None:
        if self._reader.dataset_use(expense.run, expense.dataset).spent == loss:
            return
        try:
            self._writer.spend_budget(expense.run, number, expense.dataset, loss)
        except RevertedError as exc:
            if exc.error == "BudgetExceeded":
                # Lowered since it was looked at.
                raise BudgetExceededError(
                    exc.message, subject=exc.subject, actual=exc.actual, hint=exc.hint
                ) from exc
            if exc.error in _BEHIND:
                raise PrivacyError(
                    "the ledger knows of more that was spent than this site does",
                    subject=f"dataset {expense.dataset}, run {expense.run}",
                    actual=exc.actual,
                    hint="restore the folder privacy/ of the home from a copy",
                ) from exc
            raise
