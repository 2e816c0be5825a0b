"""What an audit reports: findings with their evidence, and a place to collect them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from fednet.audit.checks import Check
from fednet.domain.identity import RoundNumber, SiteId

CHAIN_DUTY = "the chain's operator, whose contracts must refuse it"
"""Whose duty it is that the contracts' rules were kept."""


class Severity(StrEnum):
    """How bad a finding is."""

    VIOLATION = "violation"
    """The evidence does not hold, or somebody said what is not so."""
    MISSING = "missing"
    """Evidence that somebody must serve cannot be had, so that a claim cannot be checked."""
    SEALED = "sealed"
    """Evidence is here and cannot be read: no key to it is here, so nothing is said of it."""
    NOTICE = "notice"
    """Worth knowing; the run holds all the same."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    severity: Severity
    code: str
    """Stable name of the kind of finding."""
    check: int
    """Number of the check that found it."""
    subject: str
    """What it is about."""
    message: str
    round: RoundNumber | None = None
    accused: SiteId | None = None
    """Site whose own signed act is wrong; None if the evidence convicts nobody."""
    duty: str = ""
    """Who has to serve what is missing; a duty, not an accusation."""
    expected: str = ""
    actual: str = ""
    evidence: str = ""
    """What somebody signed, as it was signed; empty where the ledger holds the evidence."""

    @property
    def comparison(self) -> list[tuple[str, str]]:
        """List what was expected and what was got, each under its word, where it is known."""
        pairs = (("expected", self.expected), ("got", self.actual))
        return [(word, value) for word, value in pairs if value]

    def to_json(self) -> dict[str, object]:
        """Return the finding in the stable form of ``--json``."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "check": self.check,
            "subject": self.subject,
            "message": self.message,
            "round": self.round,
            "accused": self.accused,
            "duty": self.duty,
            "expected": self.expected,
            "actual": self.actual,
            "evidence": self.evidence,
        }


@dataclass(slots=True)
class Findings:
    """Collect findings in the order in which they are made."""

    entries: list[Finding] = field(default_factory=list)

    def add(
        self,
        check: Check,
        code: str,
        subject: str,
        message: str,
        *,
        severity: Severity = Severity.VIOLATION,
        round_number: RoundNumber | None = None,
        accused: SiteId | None = None,
        duty: str = "",
        expected: object = "",
        actual: object = "",
        evidence: str = "",
    ) -> None:
        """Note one finding."""
        self.entries.append(
            Finding(
                severity=severity,
                code=code,
                check=check.number,
                subject=subject,
                message=message,
                round=round_number,
                accused=accused,
                duty=duty,
                expected=str(expected),
                actual=str(actual),
                evidence=evidence,
            )
        )

    def require_equal(
        self,
        check: Check,
        code: str,
        subject: str,
        message: str,
        expected: object,
        actual: object,
        *,
        round_number: RoundNumber | None = None,
        accused: SiteId | None = None,
    ) -> bool:
        """Note a violation unless two values are equal, and tell whether they are."""
        if expected == actual:
            return True
        self.add(
            check,
            code,
            subject,
            message,
            round_number=round_number,
            accused=accused,
            expected=_text(expected),
            actual=_text(actual),
        )
        return False


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
