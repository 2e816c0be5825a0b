"""Figures that follow from several sections of a plan at once."""

from __future__ import annotations

from fednet.domain.plan import Plan
from fednet.privacy.masking import agree_on


def least_updates(plan: Plan) -> int:
    """Return with how many updates the smallest cohort can make a round final.

    Raises:
        PlanError: Masks that the plan asks for cannot work.
    """
    if plan.is_masked:
        return agree_on(plan, plan.cohort.minimum_sites).least_updates
    return plan.cohort.minimum_updates
