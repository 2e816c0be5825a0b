"""Read the airlock's requests and answer them; asks no chain and no store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fednet.airlock import Check
from fednet.cli import output, policies
from fednet.cli.app import App
from fednet.domain.airlock import AirlockStep
from fednet.domain.identity import Commitment, SiteId
from fednet.errors import PhaseError, SettingsError
from fednet.node.answers import Answer, Ruling, answer_for, give_answer
from fednet.node.passages import read_report
from fednet.node.requests import Book, Request, read_book

WAITING, ANSWERED = "waiting", "answered"
_PENDING = "with the node"


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and where it stands."""

    number: int
    run: int
    round: int
    attempt: int
    dataset: int
    update: Commitment
    report: Commitment
    asked: int
    """Seconds since 1970, like the other times."""
    deadline: int
    state: str
    """What was decided; or waiting for a person, answered, or with the node."""
    why: str
    """What the decision was for; empty while there is none."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is known of a request."""

    entry: Entry
    checks: tuple[Check, ...]
    answer: Answer | None


def entries(app: App, *, waiting: bool = False, site: SiteId | None = None) -> list[Entry]:
    """List the requests, oldest first; only those that wait for a person if asked for.

    Args:
        app: Where the home is.
        waiting: Whether to leave out all others.
        site: Whose; this home's unless given.

    Raises:
        SettingsError: The home belongs to no site, or the airlock's book is damaged.
    """
    folder = policies.gate_folder(app, site)
    book = read_book(folder)
    found = [_entry(folder, book, request) for request in book.requests.values()]
    return [each for each in found if not waiting or each.state == WAITING]


def look(app: App, number: int) -> View:
    """Look at one request.

    Raises:
        SettingsError: No such request, or its report cannot be read.
        VerificationError: The report was altered.
    """
    folder = policies.gate_folder(app)
    book = read_book(folder)
    request = _require(book, number)
    checks = read_report(folder, request).checks
    return View(_entry(folder, book, request), checks, answer_for(folder, book, request))


def answer(app: App, number: int, ruling: Ruling, reason: str) -> int:
    """Answer a request, or the one that waits with its values now; return which.

    Raises:
        SettingsError: No such request, or no reason why it stays.
        PhaseError: It waits for nobody.
    """
    folder = policies.gate_folder(app)
    book = read_book(folder)
    request = _require(book, number)
    state = _state(folder, book, request)
    if state == AirlockStep.EXPIRED:
        # The round went on, and the same values wait again: they are what is answered.
        again = (each for each in book.like(request) if _state(folder, book, each) == WAITING)
        request = next(again, request)
        state = _state(folder, book, request)
    if state != WAITING:
        raise PhaseError(
            "the request waits for no answer",
            subject=f"request {number}",
            expected=WAITING,
            actual=state,
            hint=f"`fednet airlock show {number}` shows what became of it",
        )
    # What is approved unread could be anything; the report has to be whole at least.
    if ruling is Ruling.APPROVED:
        read_report(folder, request)
    give_answer(folder, request, ruling, reason, int(time.time()))
    return request.number


def fields(view: View) -> Mapping[str, object]:
    """Write a request for a person."""
    entry, given = view.entry, view.answer
    found: dict[str, object] = {
        "request": entry.number,
        "state": entry.state + (f": {entry.why}" if entry.why else ""),
        "update": f"run {entry.run}, round {entry.round}, attempt {entry.attempt}",
        "dataset": entry.dataset,
        "sha256": entry.update,
        "report": entry.report,
        "asked": output.when(entry.asked),
        "answer until": output.when(entry.deadline),
    }
    if given is not None:
        found["answer"] = f"{given.ruling} {output.when(given.at)}"
        found["reason"] = given.reason or "none given"
    if entry.state == WAITING:
        found["next"] = (
            f"fednet airlock approve {entry.number}, or reject or return it with --reason TEXT"
        )
    return found


def _require(book: Book, number: int) -> Request:
    if number not in book.requests:
        count = len(book.requests)
        raise SettingsError(
            "no such request",
            subject=f"request {number}",
            expected=f"1 to {count}" if count else None,
            hint="`fednet airlock list` shows the requests",
        )
    return book.requests[number]


def _entry(folder: Path, book: Book, request: Request) -> Entry:
    decision = book.decisions.get(request.number)
    return Entry(
        request.number,
        request.run,
        request.key.round,
        request.key.attempt,
        request.dataset,
        request.update,
        request.report,
        request.asked,
        request.deadline,
        _state(folder, book, request),
        decision.why if decision else "",
    )


def _state(folder: Path, book: Book, request: Request) -> str:
    if decision := book.decisions.get(request.number):
        return decision.step.value
    if not request.is_human or request.refusal:
        return _PENDING
    return ANSWERED if answer_for(folder, book, request) else WAITING
