"""What a noisy sum over sites costs a *site*: its whole update hidden, not one record of it.

The distributed discrete Gaussian: Kairouz, Liu and Steinke, 2021, proposition 14,
https://arxiv.org/abs/2102.06387. A sum of discrete Gaussians is not quite one; `_gap`
bounds the difference, which vanishes once a share's deviation is a few units; where it
has, this is what `fednet.domain.privacy.noise_of_training` has the book charge. No
sampling of sites is counted on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from fednet.errors import PrivacyError
from fednet.privacy.accounting.renyi import ORDERS, Curve

_LEAST_VARIANCE = Fraction(1, 4)
"""Below a deviation of one half the proposition says nothing."""


@dataclass(frozen=True, slots=True)
class NoisySum:
    """Describe one opening of a sum of clipped whole-number updates, each with its noise."""

    norm: int
    """Euclidean norm that one site can move the sum by, its weight included, in units of the sum:
    the largest of an update if neighbours lack it, twice that if they have another instead."""
    values: int
    """Length of the vector."""
    share: Fraction
    """Variance of each site's noise, in squared units of the sum."""
    sites: int
    """In the sum, less those that tell others their noise."""

    def __post_init__(self) -> None:
        if self.share < _LEAST_VARIANCE or min(self.norm, self.values, self.sites) < 1:
            raise PrivacyError(
                "nothing is known of so little noise",
                subject="noisy sum",
                expected=f"a share of at least {_LEAST_VARIANCE}, of 1 site or more",
                actual=f"{self.share} of {self.sites}",
                hint="count the sum in finer units, or add more noise",
            )


def sum_curve(opened: NoisySum) -> Curve:
    """Return what one opening costs, at each of the orders; several are added up."""
    near = _concentration(opened)
    gap = _gap(opened)
    plain = opened.norm**2 / float(opened.share * opened.sites) / 2
    return tuple(min(order * near, order * plain + gap * opened.values) for order in ORDERS)


def concentration(opened: NoisySum) -> float:
    """Return rho: the opening is rho-zCDP (Bun and Steinke, 2016, https://arxiv.org/abs/1605.02635)."""
    return _concentration(opened)


def _concentration(opened: NoisySum) -> float:
    """Return the smaller of the proposition's two bounds that grow with the order alone."""
    deviation = math.sqrt(float(opened.share * opened.sites))
    gap, far = _gap(opened), opened.norm / deviation
    # A whole number is at most its square, and the sum of values at most sqrt(d) times the norm.
    most = min(opened.norm**2, math.sqrt(opened.values) * opened.norm)
    by_sum = far**2 + 2 * most * gap / deviation + gap**2 * opened.values
    by_norm = (far + gap * math.sqrt(opened.values)) ** 2
    return min(by_sum, by_norm) / 2


def _gap(opened: NoisySum) -> float:
    """Return tau, which bounds how far a sum of discrete Gaussians is from being one."""
    share = float(opened.share)
    return 10 * sum(math.exp(-2 * math.pi**2 * share * k / (k + 1)) for k in range(1, opened.sites))
