"""Judge what an update betrays of its data: records, members, and how few it is worth.

Each check has a figure, a bound of the policy's and a verdict. What could not be
measured is refused unless the policy lets it pass. None of them proves that an
update is harmless: each looks for one known leak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fednet.airlock.admission import check_classes
from fednet.airlock.exposure import Exposure, RecordMatch
from fednet.airlock.membership import attack
from fednet.airlock.policy import AirlockPolicy
from fednet.airlock.report import Check, Verdict, judged

LEAST_RECORDS = 20
"""With fewer, neither chance nor advantage can be told from noise."""
CHANCE = 1e-3
"""A likeness that is at least so likely between strangers is none."""
_PARAMETERS = 1_000
_MORE = "train on more records, in larger batches or more steps"
_HIDE = "ask for secure aggregation or noise in the plan, or " + _MORE


def check_content(
    policy: AirlockPolicy, exposure: Exposure, steps: int, parameters: int
) -> list[Check]:
    """Judge what was measured, by every bound that the policy sets.

    Args:
        policy: The site's.
        exposure: What was measured.
        steps: Optimiser steps that the update took.
        parameters: Values in the update.
    """
    rules = policy.content
    judges: Mapping[str, Callable[[float], Check | str]] = {
        "maximum_likeness": lambda bound: _likeness(exposure, bound),
        "maximum_influence": lambda bound: _influence(exposure, bound),
        "maximum_advantage": lambda bound: _membership(exposure, bound),
        "minimum_effective_examples": lambda bound: _effective(exposure, bound),
        "minimum_mixing": lambda bound: _mixing(exposure, steps, parameters, bound),
    }
    checks = check_classes(policy, exposure.class_counts)
    for name, judge in judges.items():
        if name in rules.bounded:
            found = judge(getattr(rules, name))
            checks.append(
                _unmeasured(policy, f"content.{name}", found) if isinstance(found, str) else found
            )
    return checks


def _unmeasured(policy: AirlockPolicy, name: str, why: str) -> Check:
    refuses = policy.content.unmeasured == "refuse"
    return Check(
        name,
        Verdict.REFUSED if refuses else Verdict.UNMEASURED,
        f"could not be measured: {why}",
        remedy='let such updates pass with content.unmeasured = "pass", or take the bound out'
        if refuses
        else "",
    )


def _likeness(exposure: Exposure, bound: float) -> Check | str:
    match = exposure.match
    if why := _unlike(exposure, match):
        return why
    assert match is not None
    left_out = f"; {match.left_out} stretches would have taken too long" if match.left_out else ""
    return judged(
        "content.maximum_likeness",
        match.likeness <= bound or match.chance >= CHANCE,
        f"how like a single record some stretch of the update is{left_out}",
        expected=f"at most {bound:g}, or nothing that chance does not explain",
        actual=f"{match.likeness:.3f}, by chance with a probability of {match.chance:.2g}",
        figure=match.likeness,
        bound=bound,
        remedy=_HIDE,
    )


def _unlike(exposure: Exposure, match: RecordMatch | None) -> str:
    """Return why likeness says nothing; empty if it does."""
    if match is None:
        return "nobody compared the update with the records"
    if not match.stretches:
        return "nothing in the update is as long as a record, or records are too long to compare"
    if exposure.examples < LEAST_RECORDS:
        return f"there are fewer than {LEAST_RECORDS} records"
    return ""


def _influence(exposure: Exposure, bound: float) -> Check | str:
    match = exposure.match
    if match is None or not match.influence:
        return "no layer takes records as they are"
    return judged(
        "content.maximum_influence",
        match.influence <= bound,
        "share of the first layer's change that one record explains",
        expected=f"at most {bound:g}",
        actual=f"{match.influence:.3f}",
        figure=match.influence,
        bound=bound,
        remedy=f"look for outliers in the data, or {_MORE}",
    )


def _membership(exposure: Exposure, bound: float) -> Check | str:
    losses = exposure.losses
    if losses is None:
        return "there are no held-out records; name some in content.held_out"
    if min(len(losses.members_after), len(losses.others_after)) < LEAST_RECORDS:
        return f"fewer than {LEAST_RECORDS} records on one side"
    found = attack(losses)
    return judged(
        "content.maximum_advantage",
        found.advantage <= bound,
        f"advantage of an attacker who tells members by their {found.by}",
        expected=f"at most {bound:g}",
        actual=f"{found.advantage:.3f}, area under the curve {found.area:.3f}",
        figure=found.advantage,
        bound=bound,
        remedy=f"train fewer epochs; {_HIDE}",
    )


def effective_examples(exposure: Exposure) -> float:
    """Return how many examples of equal weight come to as much as those there are.

    That is Kish's effective sample size, (sum g)^2 / sum g^2, of the lengths of
    gradients (Kish, 1965, Survey Sampling); scaled up where only some were measured.
    """
    lengths = np.asarray(exposure.gradients, np.float64)
    squares = float(np.dot(lengths, lengths))
    if squares <= 0:
        return 0.0
    return float(lengths.sum()) ** 2 / squares * exposure.examples / len(lengths)


def _effective(exposure: Exposure, bound: float) -> Check | str:
    if not len(exposure.gradients):
        return "nobody measured the gradients"
    found = effective_examples(exposure)
    return judged(
        "content.minimum_effective_examples",
        found >= bound,
        "examples of equal weight that the update is worth",
        expected=f"at least {bound:g}",
        actual=f"{found:.1f} of {exposure.examples}",
        figure=found,
        bound=bound,
        remedy=f"look for outliers in the data, or {_MORE}",
    )


def _mixing(exposure: Exposure, steps: int, parameters: int, bound: float) -> Check | str:
    """Compare what is mixed into an update with how much it says.

    An attacker who inverts gradients has an equation a parameter for as many
    unknown records as were mixed, at as many points as there were steps.
    """
    if not len(exposure.gradients):
        return "nobody measured the gradients"
    found = effective_examples(exposure) * steps * _PARAMETERS / parameters
    return judged(
        "content.minimum_mixing",
        found >= bound,
        f"effective examples times steps, for each {_PARAMETERS} parameters",
        expected=f"at least {bound:g}",
        actual=f"{found:.3g}",
        figure=found,
        bound=bound,
        remedy=_HIDE,
    )
