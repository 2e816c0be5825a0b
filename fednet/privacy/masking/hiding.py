"""A site's share of the noise that hides it in a sum: added in the ring, before any mask.

The distributed discrete Gaussian (Kairouz, Liu and Steinke, 2021,
https://arxiv.org/abs/2102.06387). The noise of the *honest* sites in the smallest sum that
may ever be opened has a deviation of ``multiplier`` times the longest weighted update. A
site cannot know who will be left, so each adds that variance over ``honest_sites``, and
a sum of k sites has k shares of it. What is beyond the promise stays in the sum: to take
it away again, sites would have to tell one another seeds of theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from fednet.domain.tensors import FloatArray
from fednet.errors import PlanError, PrivacyError
from fednet.privacy.masking.ring import SignedArray
from fednet.privacy.noise import MOST_VARIANCE, Words, discrete_gaussian, noise_share

TAIL_DEVIATIONS = 12
"""A sum's noise stays within so many, but for a chance of 2**-102 a value: its tail is at most a
normal one's (Canonne, Kamath and Steinke, 2020, https://arxiv.org/abs/2004.00010)."""
LEAST_SHARE = 64
"""In squared steps. From here on what a sum of discrete Gaussians lacks of being one costs less
than float64 can hold, so that the accountant needs no more than the multiplier."""
_ROOT_BITS = 30
_ROOM = 1 - 2.0**-21
"""Makes room for the rounding of a length."""


@dataclass(frozen=True, slots=True)
class SumNoise:
    """How noise hides each site of a sum: what a plan says, fitted to a cohort."""

    norm: Decimal
    """Largest Euclidean norm of an update, before it is weighted; above 0."""
    multiplier: Decimal
    """Deviation of the least sum's noise, over the largest weighted norm; above 0."""
    honest_sites: int
    """In the least sum that may be opened, less those that may tell others their noise."""

    def share(self, weight_cap: int, exponent: int) -> Fraction:
        """Return the variance of each site's noise, in squared steps of 2**-exponent."""
        longest = weight_cap * Fraction(self.norm) * Fraction(2) ** exponent
        return noise_share((Fraction(self.multiplier) * longest) ** 2, self.honest_sites)

    def reach(self, sites: int) -> Fraction:
        """Bound the noise of a sum over so many sites, for a weight cap of 1 and steps of 1."""
        deviation = Fraction(self.multiplier) * Fraction(self.norm)
        return TAIL_DEVIATIONS * deviation * root_above(self.promised(sites))

    def promised(self, sites: int) -> Fraction:
        """Return the variance of the noise in a sum over so many, in units of what is promised."""
        return Fraction(sites, self.honest_sites)

    def deviation_of_mean(self, sites: int) -> float:
        """Return the deviation of the noise in the mean over so many, if all weigh the cap."""
        return float(self.multiplier * self.norm) / math.sqrt(sites * self.honest_sites)

    def most_exponent(self, weight_cap: int) -> int:
        """Return the largest exponent at which a share can still be drawn exactly."""
        ratio = MOST_VARIANCE / self.share(weight_cap, 0)
        found = (ratio.numerator.bit_length() - ratio.denominator.bit_length()) // 2 + 1
        while self.share(weight_cap, found) > MOST_VARIANCE:
            found -= 1
        return found

    def require_fine(self, weight_cap: int, exponent: int) -> None:
        """Raise unless steps are so fine that the accountant's bound holds.

        Raises:
            PlanError: A share of the noise is no more than a few steps.
        """
        share = self.share(weight_cap, exponent)
        if share < LEAST_SHARE:
            raise PlanError(
                "the ring's steps are too coarse for so little noise",
                subject="privacy.noise_multiplier",
                expected=f"a variance of at least {LEAST_SHARE} squared steps a site",
                actual=f"{float(share):.3g}",
                hint="choose the ring of 64 bits, or a higher noise_multiplier",
            )


class Hider:
    """Add a site's noise to consecutive chunks of its encoded update.

    Args:
        noise: How noise hides a site.
        share: Variance, in squared steps.
        words: Where randomness comes from; nobody may foretell it.
    """

    def __init__(self, noise: SumNoise, share: Fraction, words: Words) -> None:
        self._noise = noise
        self._share = share
        self._words = words
        self._squares: list[float] = []

    def add_to(self, values: FloatArray, encoded: SignedArray) -> None:
        """Hide the next elements, in place.

        Args:
            values: Shape (n,); the update, as it was encoded.
            encoded: Shape (n,); a sum beyond the ring's largest number wraps.
        """
        wide = values.astype(np.float64)
        self._squares.append(float(np.dot(wide, wide)))
        drawn = discrete_gaussian(values.size, self._share, self._words)
        np.add(encoded, drawn.astype(encoded.dtype), out=encoded)

    def require_short(self, subject: str) -> None:
        """Raise unless all that was hidden together is as short as the noise reckons with.

        Args:
            subject: Whose values, for errors.

        Raises:
            PrivacyError: It is longer; what was made of it must not leave.
        """
        length = math.sqrt(math.fsum(self._squares))
        if not length <= float(self._noise.norm) * _ROOM:
            raise PrivacyError(
                "an update is longer than its noise can hide",
                subject=subject,
                expected=f"a norm of at most {self._noise.norm}",
                actual=f"{length:g}",
                hint="it has to be cut to privacy.clip_norm before it is masked",
            )


def root_above(value: Fraction) -> Fraction:
    """Return a fraction that is not below the square root of another, and hardly above it."""
    scaled = value * (1 << 2 * _ROOT_BITS)
    return Fraction(math.isqrt(math.ceil(scaled)) + 1, 1 << _ROOT_BITS)
