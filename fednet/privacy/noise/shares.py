"""What each site adds to a sum so that the sum has noise enough, whoever drops out.

A site cannot know who will be left at the end. Each adds noise of the total's variance
divided by the least number of sites whose sum may ever be opened; so the least has what
was promised, and more have more (Kairouz, Liu and Steinke, 2021,
https://arxiv.org/abs/2102.06387). Sites that tell one another their shares take them
away again: divide by the number of those that are left *and* do not.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fednet.errors import PrivacyError

_SHRINK = 1 - 2.0**-30
"""Makes room for the rounding of a norm in float64."""


def noise_share(total: Fraction, least_sites: int) -> Fraction:
    """Return the variance of each site's noise.

    Args:
        total: Variance that the sum must have, in squared units of the sum.
        least_sites: Sums of fewer honest sites are never opened; at least 1.

    Raises:
        PrivacyError: A number is out of range.
    """
    if least_sites < 1 or total <= 0:
        raise PrivacyError(
            "no share of such noise", expected="a variance above 0, for 1 site or more",
            actual=f"{total} for {least_sites}",
        )  # fmt: skip
    return total / least_sites


def total_variance(share: Fraction, sites: int) -> Fraction:
    """Return the variance of the noise in a sum over so many sites."""
    return share * sites


def clipped(values: npt.NDArray[np.float64], norm: int) -> npt.NDArray[np.int64]:
    """Return whole numbers near the values, whose Euclidean norm is at most ``norm``.

    They are rounded towards zero, which makes no vector longer; to the nearest would.

    Args:
        values: In units of the sum, any shape; finite.
        norm: Whole, at least 1.

    Raises:
        PrivacyError: A value is not finite.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if not np.isfinite(largest):
        raise PrivacyError("a value that is no number cannot be hidden", subject="update")
    if largest == 0:
        return np.zeros(values.shape, np.int64)
    # Over the largest, so that no square overflows.
    length = largest * float(np.linalg.norm((values / largest).ravel()))
    factor = min(1.0, norm / length * _SHRINK) if length > norm * _SHRINK else 1.0
    return np.trunc(values * factor).astype(np.int64)
