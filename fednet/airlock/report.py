"""What the airlock found: one check a line, each with its figure, its bound and its verdict.

A report holds numbers about an update and words of ours, no row of the data; it
still stays at the site, and only a salted commitment to it is for others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from fednet.domain import canonical
from fednet.errors import AirlockRefusedError, MalformedBlobError

_REMEDY = "nothing has left this site; see the airlock's settings and the plan's bounds"


class Verdict(StrEnum):
    """What a check says."""

    PASSED = "passed"
    REFUSED = "refused"
    UNMEASURED = "unmeasured"
    """It could not be measured here, and the policy lets that pass."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question that was put to a plan or to an update, and the answer."""

    name: str
    """Of an update's check: one word. Of a plan's: the policy's line, such as plans.tasks."""
    verdict: Verdict
    finding: str
    """A sentence in plain words."""
    expected: str = ""
    actual: str = ""
    figure: float | None = None
    """What was measured, where it is a number."""
    bound: float | None = None
    """What it was compared with."""
    remedy: str = ""
    """What a person may do about a refusal."""

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        parts = [f"{self.name}: {self.finding}"]
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [f"got {self.actual}"] if self.actual else []
        return "; ".join(parts)

    def error(self) -> AirlockRefusedError:
        """Make an error of a refusal."""
        return AirlockRefusedError(
            self.finding,
            check=self.name,
            subject="airlock",
            expected=self.expected or None,
            actual=self.actual or None,
            hint=self.remedy or _REMEDY,
        )

    def to_plain(self) -> dict[str, object]:
        """Return what canonical JSON can say; real numbers as decimal text."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "finding": self.finding,
            "expected": self.expected,
            "actual": self.actual,
            "figure": _text(self.figure),
            "bound": _text(self.bound),
            "remedy": self.remedy,
        }

    @classmethod
    def from_plain(cls, raw: object, subject: str) -> Self:
        """Read a check back.

        Raises:
            MalformedBlobError: It is none.
        """
        texts = ("name", "finding", "expected", "actual", "remedy")
        if not isinstance(raw, dict) or not all(isinstance(raw.get(name), str) for name in texts):
            raise MalformedBlobError("not a check of the airlock", subject=subject)
        try:
            return cls(
                verdict=Verdict(raw["verdict"]),
                figure=_number(raw["figure"]),
                bound=_number(raw["bound"]),
                **{name: raw[name] for name in texts},
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise MalformedBlobError(
                "not a check of the airlock", subject=subject, actual=str(exc)[:80]
            ) from exc


@dataclass(frozen=True, slots=True)
class Passage:
    """What an update showed of itself on its way out."""

    checks: tuple[Check, ...] = ()

    @property
    def refusal(self) -> Check | None:
        """Return the first check that said no; None if none did."""
        return first_refusal(self.checks)

    def figure(self, name: str) -> float | None:
        """Return what a check measured; None if it did not take place or is no number."""
        return next((check.figure for check in self.checks if check.name == name), None)

    def require(self) -> None:
        """Raise if a check said no.

        Raises:
            AirlockRefusedError: It names the check.
        """
        if refusal := self.refusal:
            raise refusal.error()


def first_refusal(checks: Iterable[Check]) -> Check | None:
    """Return the first check that said no; None if none did."""
    return next((check for check in checks if check.verdict is Verdict.REFUSED), None)


def judged(name: str, good: bool, finding: str, **more: object) -> Check:
    """Make a check of a verdict; ``more`` are further fields, written as text where they are one.

    The remedy is kept for a refusal only.
    """
    texts = {key: str(more.pop(key)) for key in ("expected", "actual") if key in more}
    if good:
        more.pop("remedy", None)
    verdict = Verdict.PASSED if good else Verdict.REFUSED
    return Check(name, verdict, finding, **texts, **more)  # type: ignore[arg-type]


def _text(value: float | None) -> str | None:
    return None if value is None else canonical.decimal_text(float(value))


def _number(value: object) -> float | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("a real number travels as text")
    return None if value is None else float(value)
