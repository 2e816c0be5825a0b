"""What was put to the airlock's gate, and what became of it; the book that both sides read.

The node alone writes the book and the reports, a reviewer alone writes answers,
one file each that never changes. An answer becomes a decision when the node has
noted it; what the node noted first stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from fednet.airlock import Spending
from fednet.domain import canonical
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    DatasetId,
    Digest,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Deployment
from fednet.domain.privacy import Expense
from fednet.node.places import AttemptKey
from fednet.node.sealed_log import Record, integer, integers, read_log

WHAT = "airlock's book"
HINT = "restore it from a copy: without it budgets that were spent are forgotten"
BOOK, REPORTS, ANSWERS = "book.jsonl", "reports", "answers"


@dataclass(frozen=True, slots=True)
class Request:
    """One update that was put to the gate."""

    number: int
    """From 1, over all runs of the site."""
    run: RunId
    key: AttemptKey
    dataset: DatasetId
    update: Commitment
    """Of the file's complete bytes."""
    weight: int
    file: str
    """Name within the run's folder."""
    report: Commitment
    asked: int
    """Seconds since 1970."""
    deadline: int
    """Until when an answer is waited for, in seconds since 1970."""
    is_human: bool
    """Whether a person decides."""
    refusal: str = ""
    """Which check said no; empty if none did."""
    epsilon: Decimal = Decimal(0)
    """What the run promises to spend of the dataset, all rounds together."""
    delta: Decimal = Decimal(0)
    values: Commitment | None = None
    """Of what the update decodes to; late work is put to the gate again with the same values."""
    expense: Expense | None = None
    """What is to be paid for before it leaves; None where no noise hides anything."""

    def record(self, step: AirlockStep, reason: Digest = ZERO_DIGEST) -> AirlockRecord:
        """Say what the ledger may learn of a step."""
        return AirlockRecord(
            step, self.run, self.key.round, self.key.attempt, self.dataset, self.report, reason
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a request."""

    step: AirlockStep
    at: int
    """Seconds since 1970."""
    why: str
    """In words; stays at the site."""
    reason: Digest = ZERO_DIGEST
    """Commitment of a person's answer; zero if none was given."""


@dataclass(slots=True)
class Book:
    """Every request and decision of a site."""

    requests: dict[int, Request] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    untold: dict[tuple[int, AirlockStep], AirlockRecord] = field(default_factory=dict)
    """What the ledger does not know yet, by request and step, in their order."""
    open: set[int] = field(default_factory=set)
    """Requests that are not decided."""
    _of_run: dict[RunId, dict[AttemptKey, int]] = field(default_factory=dict)

    def fold(self, record: Record) -> None:
        """Take in a record.

        Raises:
            ValueError: It contradicts what was noted before, or is of no known kind.
        """
        number = integer(record["number"])
        match record["kind"]:
            case "requested" if number == len(self.requests) + 1:
                self._add(_read_request(number, record))
            case "decided" if number in self.open:
                decision = Decision(
                    AirlockStep(str(record["step"])),
                    integer(record["at"]),
                    str(record["why"]),
                    Digest(str(record["reason"])),
                )
                self._decide(self.requests[number], decision)
            case "told" if number in self.requests:
                self.untold.pop((number, AirlockStep(str(record["step"]))), None)
            case unknown:
                raise ValueError(f"record {unknown!r} of request {number} has no place here")

    def of(self, run: RunId, key: AttemptKey) -> Request | None:
        """Return the request for an attempt's update; the latest, should there be several."""
        number = self._of_run.get(run, {}).get(key)
        return None if number is None else self.requests[number]

    def like(self, request: Request) -> Iterator[Request]:
        """Yield the other requests of a run that had the same values, latest first."""
        for number in reversed(self._of_run.get(request.run, {}).values()):
            other = self.requests[number]
            if request.values and other.values == request.values and other != request:
                yield other

    def recent(self, run: RunId) -> Iterator[Request]:
        """Yield a run's requests that are open, and those of its last rounds."""
        numbers = self._of_run.get(run, {})
        newest = max(numbers).round if numbers else 0
        for key, number in reversed(list(numbers.items())):
            if number in self.open or key.round >= newest - 1:
                yield self.requests[number]

    def spent(self, dataset: DatasetId) -> Spending:
        """Add up what was let out of a dataset, over all runs; a run's promise counts once."""
        out = [each for each in self._let_out() if each.dataset == dataset]
        runs = {each.run: Spending(0, each.epsilon, each.delta) for each in out}
        return sum(runs.values(), start=Spending(len(out)))

    def has_begun(self, run: RunId) -> bool:
        """Tell whether an update was let out in a run."""
        return any(each.run == run for each in self._let_out())

    def _add(self, request: Request) -> None:
        self.requests[request.number] = request
        self.open.add(request.number)
        self._of_run.setdefault(request.run, {})[request.key] = request.number
        step = AirlockStep.REQUESTED
        self.untold[request.number, step] = request.record(step)

    def _decide(self, request: Request, decision: Decision) -> None:
        self.decisions[request.number] = decision
        self.open.discard(request.number)
        record = request.record(decision.step, decision.reason)
        self.untold[request.number, decision.step] = record

    def _let_out(self) -> Iterator[Request]:
        for number, decision in self.decisions.items():
            if decision.step is AirlockStep.APPROVED:
                yield self.requests[number]


def folder_of(parent: Path, deployment: Deployment, site: SiteId) -> Path:
    """Name the folder of a site's airlock within a home."""
    return parent / f"{deployment.genesis_hash.hex()[:16]}-{deployment.runs.lower()}-{site}"


def read_book(folder: Path) -> Book:
    """Read the book as it stands now; empty if nothing was ever asked.

    Raises:
        SettingsError: It is damaged, or cannot be read.
    """
    book = Book()
    read_log(folder / BOOK, WHAT, book.fold, HINT)
    return book


def request_fields(request: Request) -> Record:
    """Write a request as the book holds it."""
    return {
        "kind": "requested",
        "number": request.number,
        "run": request.run,
        "key": list(request.key),
        "dataset": request.dataset,
        "update": str(request.update),
        "weight": request.weight,
        "file": request.file,
        "report": str(request.report),
        "asked": request.asked,
        "deadline": request.deadline,
        "is_human": request.is_human,
        "refusal": request.refusal,
        "epsilon": canonical.decimal_text(request.epsilon),
        "delta": canonical.decimal_text(request.delta),
        "values": str(request.values) if request.values else "",
        "expense": request.expense.to_plain() if request.expense else None,
    }


def _read_request(number: int, record: Record) -> Request:
    round_number, attempt = integers(record["key"])
    return Request(
        number=number,
        run=RunId(integer(record["run"])),
        key=AttemptKey(RoundNumber(round_number), attempt),
        dataset=DatasetId(integer(record["dataset"])),
        update=Commitment(str(record["update"])),
        weight=integer(record["weight"]),
        file=str(record["file"]),
        report=Commitment(str(record["report"])),
        asked=integer(record["asked"]),
        deadline=integer(record["deadline"]),
        is_human=record["is_human"] is True,
        refusal=str(record["refusal"]),
        epsilon=Decimal(str(record["epsilon"])),
        delta=Decimal(str(record["delta"])),
        values=Commitment(str(record["values"])) if record["values"] else None,
        expense=_read_expense(record.get("expense")),
    )


def _read_expense(raw: object) -> Expense | None:
    return Expense.from_plain(raw, "expense") if raw else None
