"""What a site spent of its datasets' privacy, over all runs; durable before an update leaves.

One sealed log per deployment and site, a statement a line. One process writes it at a
time; whoever only reads it needs no permission. Without it what was spent is forgotten,
which the ledger's own figures then tell (see `fednet.privacy.accounting.allowance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from fednet.domain.identity import DatasetId, SiteId
from fednet.domain.ledger import Deployment
from fednet.domain.privacy import Expense, Spent
from fednet.node.requests import folder_of
from fednet.node.sealed_log import Record, SealedLog, read_log
from fednet.privacy.accounting import Book

_FILE, _WHAT = "spent.jsonl", "account of spent privacy"
_HINT = "restore it from a copy: without it budgets that were spent are forgotten"
Charge = Callable[[Book], tuple[Book, Spent]]
"""Pays for a training, or raises and changes nothing."""


@dataclass(slots=True)
class Statements:
    """Every statement of a site, in the order in which they were made."""

    said: list[Spent] = field(default_factory=list)
    _books: dict[DatasetId, Book] = field(default_factory=dict)

    def fold(self, record: Record) -> None:
        """Take in a record.

        Raises:
            MalformedBlobError: It holds no statement.
            ValueError: It states the same training twice.
        """
        spent = Spent.from_bytes(str(record["spent"]).encode())
        expense, book = spent.expense, self.book(spent.expense.dataset)
        if book.holds(expense):
            raise ValueError("the same training is paid for twice")
        self.said.append(spent)
        self._books[expense.dataset] = Book((*book.expenses, expense))

    def book(self, dataset: DatasetId) -> Book:
        """Return what was spent of a dataset."""
        return self._books.get(dataset, Book())

    def latest(self) -> Iterator[Spent]:
        """Yield the last statement of each dataset and run."""
        last = {(each.expense.dataset, each.expense.run): each for each in self.said}
        yield from last.values()


class ExpenseBook:
    """Keep a site's statements.

    Args:
        parent: Folder of a home's accounts.
        deployment: Consortium whose runs are meant.
        site: The site.

    Raises:
        SettingsError: Another node holds the account, it is damaged, or the disk refuses.
    """

    def __init__(self, parent: Path, deployment: Deployment, site: SiteId) -> None:
        self._statements = Statements()
        self._lock = RLock()
        path = folder_of(parent, deployment, site) / _FILE
        self._log = SealedLog(path, _WHAT, self._statements.fold, _HINT)

    def close(self) -> None:
        """Let another process have the account."""
        self._log.close()

    def book(self, dataset: DatasetId) -> Book:
        """Return what was spent of a dataset."""
        with self._lock:
            return self._statements.book(dataset)

    def charge(self, expense: Expense, pay: Charge) -> Spent:
        """Pay for a training; it stands on the disk when this returns, and once only.

        Raises:
            PrivacyError: It was not allowed; nothing is written.
            SettingsError: The disk refuses.
        """
        with self._lock:
            before = self._statements.book(expense.dataset)
            _, spent = pay(before)
            if not before.holds(expense):
                self._log.append({"spent": spent.to_bytes().decode()}, synced=True)
            return spent


def read_expenses(parent: Path, deployment: Deployment, site: SiteId) -> Statements:
    """Read what a site spent as it stands now; nothing if nothing ever was.

    Raises:
        SettingsError: The account is damaged, or cannot be read.
    """
    statements = Statements()
    path = folder_of(parent, deployment, site) / _FILE
    read_log(path, _WHAT, statements.fold, _HINT)
    return statements
