"""Judge the states of a run by what the sites measured; pure, and exact.

An update of a round brings what the state before it reaches on its site's own
data. The pooled metric is the mean of these over examples, as an exact
fraction that is rounded once, half to even. A site's word weighs no more than
the examples it was granted, and its value counts within the plan's bounds
only: a lie moves the mean by at most that site's share of the range.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pydantic import Field

from fednet.domain.sections import EvaluationSection, Section

PLACES = 9
"""Decimal places of a pooled metric."""

_DECIMAL = r"^-?[0-9]{1,41}(\.[0-9]{1,9})?$"

Ends = Literal["", "target", "patience"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one site says of the state that a round started from."""

    value: str
    """Decimal text."""
    evaluated: int
    """Examples that it says the value rests on; at least 1."""
    weight: int
    """Examples that the ledger took from it; at least 1."""


class Evaluation(Section):
    """How good the states of a run were, up to the one that a round started from."""

    metric: str = Field(min_length=1, max_length=64)
    pooled: str = Field(pattern=_DECIMAL)
    """Metric of the state that the round started from."""
    best: str = Field(pattern=_DECIMAL)
    """Best pooled metric so far; ties go to the earliest."""
    best_round: int = Field(ge=0)
    """Round that made the best state; 0 for the initial model."""
    best_state: str = Field(pattern=r"^[0-9a-f]{64}$")
    ends: Ends = ""
    """Why the run is to end here; empty if it goes on."""


def follow(
    section: EvaluationSection,
    before: Evaluation | None,
    judgements: Sequence[Judgement],
    judged_round: int,
    state: str,
) -> Evaluation | None:
    """Return what is known once another state was judged; None if the plan asks for nothing.

    Args:
        section: The plan's section.
        before: What was known a round earlier; None in the first.
        judgements: One per included update that speaks of this state. None leaves what was
            known as it is; in the first round there is at least one.
        judged_round: Round that made the judged state; 0 for the initial model.
        state: Commitment of the judged state, in hex.
    """
    if not section.metric:
        return None
    if not judgements and before is not None:
        return before
    pooled = pool(section, judgements)
    text = fixed_text(pooled)
    best, best_round, best_state = text, judged_round, state
    if before is not None and not _is_better(section, Fraction(text), Fraction(before.best)):
        best, best_round, best_state = before.best, before.best_round, before.best_state
    ends: Ends = before.ends if before is not None else ""
    if not ends and section.target is not None and _reaches(section, Fraction(text)):
        ends = "target"
    if not ends and section.patience and judged_round - best_round >= section.patience:
        ends = "patience"
    return Evaluation(
        metric=section.metric,
        pooled=text,
        best=best,
        best_round=best_round,
        best_state=best_state,
        ends=ends,
    )


def pool(section: EvaluationSection, judgements: Iterable[Judgement]) -> Fraction:
    """Return the mean over examples, exactly; at least one judgement."""
    total, examples = Fraction(0), 0
    for each in judgements:
        weight = min(each.evaluated, each.weight)
        total += weight * _within(section, Fraction(each.value))
        examples += weight
    return total / examples


def fixed_text(value: Fraction) -> str:
    """Round half to even to `PLACES` places and write it without trailing zeros."""
    scaled = round(value * 10**PLACES)
    whole, rest = divmod(abs(scaled), 10**PLACES)
    digits = f"{rest:0{PLACES}d}".rstrip("0")
    return ("-" if scaled < 0 else "") + str(whole) + (f".{digits}" if digits else "")


def _within(section: EvaluationSection, value: Fraction) -> Fraction:
    if section.lowest is not None:
        value = max(value, Fraction(section.lowest))
    if section.highest is not None:
        value = min(value, Fraction(section.highest))
    return value


def _is_better(section: EvaluationSection, value: Fraction, than: Fraction) -> bool:
    return value > than if section.goal == "maximise" else value < than


def _reaches(section: EvaluationSection, value: Fraction) -> bool:
    assert section.target is not None
    target = Fraction(section.target)
    return value >= target if section.goal == "maximise" else value <= target
