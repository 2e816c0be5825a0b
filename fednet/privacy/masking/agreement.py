"""What a plan makes of the masks: form of values, degree and threshold, for a cohort's size.

A plan is held against every size of cohort that it lets begin as far as a complete
graph reaches, and against its largest; what an attempt uses is fitted to its own
frozen cohort, and never lowered in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from fednet.domain.plan import Plan
from fednet.errors import PlanError
from fednet.privacy.masking.fixed_point import FixedPoint
from fednet.privacy.masking.hiding import SumNoise
from fednet.privacy.masking.parameters import LEAST_DEGREE, Bound, Parameters
from fednet.privacy.masking.ring import Ring

_MOST_COMPLETE = LEAST_DEGREE + 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an attempt masks; made by ``agree_on``."""

    fixed_point: FixedPoint
    parameters: Parameters
    least_updates: int
    """Updates that must count: the plan's minimum, and as many as masks need."""


def agree_on(plan: Plan, cohort: int) -> Agreement:
    """Fit a masked plan to a cohort.

    Args:
        plan: A plan whose module is the masked one.
        cohort: Sites, frozen at the attempt's start.

    Raises:
        PlanError: The ring is too small for the weights, or no threshold is safe for so many.
    """
    parameters = _bound(plan).fit(cohort)
    least_updates = max(plan.cohort.minimum_updates, parameters.least_sites)
    return Agreement(_fixed_point(plan, cohort, least_updates), parameters, least_updates)


def require_maskable(plan: Plan) -> Agreement:
    """Raise unless a masked plan can work, and return what its largest cohort uses.

    Raises:
        PlanError: The ring is too small for the weights, or a cohort that the plan lets begin has
            no safe threshold.
    """
    bound, cohort = _bound(plan), plan.cohort
    sizes = range(cohort.minimum_sites, min(cohort.maximum_sites, _MOST_COMPLETE) + 1)
    refused: dict[int, PlanError] = {}
    for size in sizes:
        try:
            bound.fit(size)
        except PlanError as exc:
            refused[size] = exc
    if refused:
        first, least = min(refused), max(refused) + 1
        choice = f" to {least}" if least <= cohort.maximum_sites else " and cohort.maximum_sites"
        raise PlanError(
            f"{refused[first].message}, in a cohort of {first}",
            subject="masking",
            expected=refused[first].expected,
            actual=refused[first].actual,
            hint="lower masking.colluding or masking.vanishing, of which each is rounded up to "
            f"whole sites, or raise cohort.minimum_sites{choice}",
        )
    if plan.privacy.hides_sites:
        # In a small cohort noise may need more room than values do in a large one.
        for size in sizes:
            agree_on(plan, size)
    return agree_on(plan, cohort.maximum_sites)


def _bound(plan: Plan) -> Bound:
    section = plan.masking
    return Bound(section.colluding, section.vanishing, section.targeted)


def _fixed_point(plan: Plan, sites: int, least_updates: int) -> FixedPoint:
    section, cap = plan.masking, plan.update.maximum_examples
    noise = None
    if plan.privacy.hides_sites:
        honest = least_updates - math.ceil(section.colluding * sites)
        # A norm that follows the sites is the unit in which values are told.
        norm = Decimal(1) if plan.privacy.adapts else plan.privacy.clip_norm
        noise = SumNoise(norm, plan.privacy.noise_multiplier, honest)
    return FixedPoint.fit(
        Ring(section.ring_bits), section.clip, cap, sites, clips=section.clips, noise=noise
    )
