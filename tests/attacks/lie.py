"""A lie as data: who could tell it, what is said of it, who is accused.

Each file declares the one lie that it is named after and asserts through it, so
that the table in ``docs/threat-model.md``, which is made of these declarations,
says what the tests have seen. A declared answer that no test of the file met
fails the file (see ``conftest.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from fednet.audit import AuditReport, Finding
from fednet.domain.identity import SiteId
from fednet.errors import FednetError, RevertedError
from tests.attacks.network import STANDING

NOBODY = "nobody"


class Liar(StrEnum):
    """Who is in a position to lie; the table is sorted by it."""

    STORE = "whoever holds or serves the blobs"
    CHAIN = "whoever runs the chain"
    PROVIDER = "whoever answers for the chain (RPC)"
    AGGREGATOR = "the turn's aggregator"
    ADDERS = "a majority of a plan's aggregators"
    MAJORITY = "a majority of the cohort"
    SITE = "a site"
    RESEARCHER = "the researcher"
    OPERATOR = "the operator"
    STRANGER = "anybody"


@dataclass(frozen=True, slots=True)
class Found:
    """The audit finds it."""

    code: str
    check: int

    def __str__(self) -> str:
        return f"audit: `{self.code}` (check {self.check})"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The intake leaves the update out; the audit confirms it (check 10)."""

    reason: str

    def __str__(self) -> str:
        return f"intake: `{self.reason}` (check 10)"


@dataclass(frozen=True, slots=True)
class Refused:
    """Whoever is asked refuses with an error."""

    by: str
    error: str

    def __str__(self) -> str:
        return f"{self.by}: `{self.error}`"


@dataclass(frozen=True, slots=True)
class Overcome:
    """Whom it was meant to harm acts all the same, and it counts."""

    how: str

    def __str__(self) -> str:
        return self.how


Answer = Found | LeftOut | Refused | Overcome


def contract(error: str) -> Refused:
    """Name the custom error with which a contract refuses."""
    return Refused("contract", error)


def reader(error: str) -> Refused:
    """Name the error of whoever reads chain or store."""
    return Refused("reader", error)


@dataclass(frozen=True)
class Lie:
    """One lie, as its file tests it."""

    title: str
    liar: Liar
    answers: tuple[Answer, ...]
    accused: str = NOBODY
    duty: str = ""
    """Part of the duty that the findings name, where evidence cannot be had."""
    confirmed: set[Answer] = field(default_factory=set, compare=False)

    def found(self, report: AuditReport, *liars: SiteId) -> list[Finding]:
        """Check that the audit convicts these sites and no other; give what was declared."""
        assert report.accused == tuple(sorted(liars)), report.findings
        assert not liars or self.accused != NOBODY, f"{liars} accused, nobody declared"
        said = {Found(each.code, each.check): each for each in report.findings}
        declared = {answer for answer in self.answers if isinstance(answer, Found)}
        seen = declared & said.keys()
        assert seen, f"declared {declared}, found {report.findings}"
        self.confirmed.update(seen)
        found = [each for each in report.findings if Found(each.code, each.check) in seen]
        if self.duty:
            assert any(self.duty in each.duty for each in found), found
        return found

    def left_out(self, report: AuditReport, site: SiteId) -> None:
        """Check that a site's update of the last round was left out for the declared reason."""
        entry = next(each for each in report.rounds[-1].sites if each.site == site)
        assert entry.verdict == "invalid"
        assert entry.earned == 0
        self.saw(LeftOut(entry.reason))

    def saw(self, answer: Answer) -> None:
        """Note an answer that a test has checked by itself; it must be a declared one."""
        assert answer in self.answers, answer
        self.confirmed.add(answer)

    @contextmanager
    def refused(self, *errors: str) -> Iterator[None]:
        """Check that what is done inside is refused with one of these declared errors."""
        with pytest.raises(FednetError) as caught:
            yield
        self.met(_name(caught.value), errors)

    def met(self, error: str, expected: Collection[str] = ()) -> None:
        """Note that a refusal was met."""
        assert not expected or error in expected, error
        answers = {each for each in self.answers if isinstance(each, Refused)}
        matching = {each for each in answers if each.error == error}
        assert matching, f"declared {answers}, refused with {error}"
        self.confirmed.update(matching)


def _name(error: FednetError) -> str:
    return error.error if isinstance(error, RevertedError) else type(error).__name__


def require_honest(report: AuditReport) -> None:
    """Check an honest control: every round verified, nothing found, nobody accused."""
    assert report.verified, report.findings
    assert report.accused == ()
    serious = [each for each in report.findings if each.code not in ORDINARY]
    assert not serious, serious
    assert {entry.verdict for entry in report.rounds} == {"verified"}


ORDINARY = STANDING | {"unproven"}
"""Notices that say what an honest run's audit could not compare with."""
