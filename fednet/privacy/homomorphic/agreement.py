"""What a plan makes of encrypted updates: form of ciphertexts and of numbers."""

from __future__ import annotations

from fednet.domain.plan import Plan
from fednet.privacy.homomorphic.ckks import CKKS
from fednet.privacy.homomorphic.scheme import Form
from fednet.privacy.homomorphic.values import fit_numbers
from fednet.privacy.masking.fixed_point import FixedPoint

FORMS = {CKKS.name: CKKS}
"""By the name that a plan has for them."""


def form_of(plan: Plan) -> Form:
    """Return the form of a plan's ciphertexts; the plan encrypts."""
    return FORMS[plan.homomorphic.scheme]


def numbers_of(plan: Plan) -> FixedPoint:
    """Return how values stand as whole numbers, whatever the cohort.

    Raises:
        PlanError: Too many sites have too much weight for the numbers.
    """
    section = plan.homomorphic
    cap, sites = plan.update.maximum_examples, plan.cohort.maximum_sites
    return fit_numbers(section.clip, cap, sites, clips=section.clips)
