"""Float32 values as integers of a ring, with the weight inside and a sum that cannot overflow.

A value u of weight w stands as the integer nearest to w * u * 2**f, ties to the
even one. The exponent f is the largest for which the sum over every site of the
cohort, each with the highest weight and the largest magnitude, still fits:

    sites * (weight_cap * clip * 2**f + 1/2) <= 2**(bits-1) - 1

Where noise hides each site (see ``hiding``), what it reaches is added on the left, and
values are rounded towards zero, which makes no update longer.

The weight is multiplied in before rounding, so a mean over n sites is off by at
most n / (2 * sum of weights * 2**f), which is never more than half a step of
2**-f. Every product here is exact in float64, the scale being a power of two;
decoding divides once, and whoever stores the mean rounds it to float32 once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray
from fednet.errors import AggregationError, PlanError, TrainingError
from fednet.privacy.masking.hiding import SumNoise
from fednet.privacy.masking.ring import Ring, RingArray

DoubleArray = npt.NDArray[np.float64]

MOST_WEIGHT = (1 << 29) - 1
"""A product of a float32 and this is still exact in float64."""
LEAST_STEPS = 256
"""Steps from zero to the clip bound that a plan must leave to a site of weight 1."""


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """How the updates of a plan stand in a ring; made by ``fit``."""

    ring: Ring
    clip: float
    """Largest magnitude of a value; a float32 above 0."""
    weight_cap: int
    most_sites: int
    exponent: int
    """A step is 2 to the minus this."""
    clips: bool
    """Whether larger magnitudes are clipped; else they are refused."""
    noise: SumNoise | None = None
    """How noise hides each site; None where none does."""

    @classmethod
    def fit(
        cls,
        ring: Ring,
        clip: Decimal,
        weight_cap: int,
        most_sites: int,
        *,
        clips: bool,
        noise: SumNoise | None = None,
    ) -> Self:
        """Choose the finest scale under which no sum of the cohort overflows.

        Args:
            ring: Ring.
            clip: Largest magnitude of a value; rounded down to a float32.
            weight_cap: Highest weight of a site, in examples.
            most_sites: Most sites that a sum may have.
            clips: Whether larger magnitudes are clipped; else they are refused.
            noise: How noise hides each site of a sum.

        Raises:
            PlanError: A value is out of range, or the ring is too small for the weights.
        """
        # No value of a vector is larger than its norm.
        bound = _float32_below(clip if noise is None else min(clip, noise.norm))
        room = Fraction(ring.largest, most_sites) - Fraction(1, 2)
        reach = Fraction(0) if noise is None else noise.reach(most_sites) / most_sites
        fitting = math.floor(room / (LEAST_STEPS * (1 + reach / Fraction(bound))))
        if not 0 < weight_cap <= MOST_WEIGHT:
            raise PlanError(
                "the weight of a site is out of range for secure aggregation",
                expected=f"a cap of 1..{MOST_WEIGHT} examples",
                actual=weight_cap,
                hint="lower the cap on a site's examples in the plan: set update.maximum_examples "
                f"to what the largest site has, and to {min(fitting, MOST_WEIGHT)} at most",
            )
        ratio = room / (weight_cap * (Fraction(bound) + reach))
        if room <= 0 or ratio * Fraction(bound) < LEAST_STEPS:
            most = ring.largest / (LEAST_STEPS * (1 + reach / Fraction(bound)))
            raise PlanError(
                f"a ring of {ring.value} bits is too small for these weights"
                + (" and their noise" if noise else ""),
                expected=f"sites * weight cap of at most {math.floor(most)}",
                actual=f"{most_sites} * {weight_cap}",
                hint="choose the ring of 64 bits, or lower the cap on a site's examples"
                + (f" (update.maximum_examples) to {fitting}" if fitting > 0 else "")
                + (", or the noise multiplier" if noise else ""),
            )
        exponent = _floor_log2(ratio)
        if noise is not None:
            exponent = min(exponent, noise.most_exponent(weight_cap))
            noise.require_fine(weight_cap, exponent)
        return cls(ring, bound, weight_cap, most_sites, exponent, clips, noise)

    @property
    def noise_share(self) -> Fraction:
        """Return the variance of the noise that each site adds, in squared steps."""
        if self.noise is None:
            return Fraction(0)
        return self.noise.share(self.weight_cap, self.exponent)

    def noise_reach(self, sites: int) -> int:
        """Bound what noise adds to a value of a sum over so many sites, in steps."""
        if self.noise is None:
            return 0
        return math.ceil(self.noise.reach(sites) * self.weight_cap * Fraction(2) ** self.exponent)

    def largest(self, weight: int) -> int:
        """Return the largest magnitude of an integer that a site of a weight can honestly send."""
        scaled = weight * Fraction(self.clip) * Fraction(2) ** self.exponent
        return math.floor(scaled + Fraction(1, 2))

    def encode_into(self, values: FloatArray, weight: int, out: RingArray, subject: str) -> None:
        """Write values of a weight as elements of the ring.

        Args:
            values: Shape (n,).
            weight: From 1 to the cap.
            out: Shape (n,), of the ring's dtype.
            subject: Whose values, for errors.

        Raises:
            TrainingError: A value is not finite, or too large where that is refused.
            ValueError: The weight is out of range.
        """
        if not 0 < weight <= self.weight_cap:
            raise ValueError(f"weight {weight} is not within 1..{self.weight_cap}")
        kept = self._within_clip(values, subject)
        wide = np.multiply(kept, math.ldexp(weight, self.exponent), dtype=np.float64)
        (np.rint if self.noise is None else np.trunc)(wide, out=wide)
        np.copyto(self.ring.signed(out), wide, casting="unsafe")

    def mean_into(self, total: RingArray, total_weight: int, out: DoubleArray) -> None:
        """Turn a sum into the weighted mean, in float64.

        Args:
            total: Shape (n,); free of masks.
            total_weight: Sum of the weights in it; at least 1.
            out: Shape (n,).
        """
        # A number of 64 bits is rounded to float64 first; of 32 bits it is exact.
        np.copyto(out, self.ring.signed(total), casting="unsafe")
        np.divide(out, math.ldexp(total_weight, self.exponent), out=out)

    def require_possible(self, total: RingArray, most: int) -> None:
        """Raise unless honest sites could have given a sum.

        Args:
            total: Shape (n,); free of masks.
            most: The sum of ``largest`` over the sites in it, and what their noise reaches.

        Raises:
            AggregationError: A number is too large: somebody sent what is no update.
        """
        signed = self.ring.signed(total)
        found = max(int(signed.max(initial=0)), -int(signed.min(initial=0)))
        if found > most:
            raise AggregationError(
                "the sum is larger than these sites can honestly have",
                expected=f"at most {most} steps",
                actual=f"{found} steps",
                hint="at least one included site sent what is no clipped update; masks hide which",
            )

    def _within_clip(self, values: FloatArray, subject: str) -> npt.NDArray[np.floating[Any]]:
        low, high = float(values.min(initial=0)), float(values.max(initial=0))
        if -self.clip <= low and high <= self.clip:
            return values
        if not (math.isfinite(low) and math.isfinite(high)):
            raise TrainingError(
                "update holds a value that is not finite",
                subject=subject,
                expected="finite numbers",
                hint="lower the plan's learning rate, or check the data for outliers",
            )
        if not self.clips:
            raise TrainingError(
                "update holds a value beyond the clip bound",
                subject=subject,
                expected=f"magnitudes of at most {self.clip:g}",
                actual=f"{max(-low, high):g}",
                hint="raise the plan's clip bound, or let it clip",
            )
        bound = np.float32(self.clip)
        return np.clip(values, -bound, bound)


def _float32_below(clip: Decimal) -> float:
    """Return the largest float32 that is not above a number."""
    found = np.float32(float(clip)) if clip < Decimal(2) ** 127 else np.float32(np.inf)
    if np.isfinite(found) and Decimal(float(found)) > clip:
        found = np.nextafter(found, np.float32(0))
    if not np.finfo(np.float32).tiny <= found < np.inf:
        raise PlanError(
            "the clip bound is out of range",
            expected="a magnitude that a normal float32 can have",
            actual=clip,
        )
    return float(found)


def _floor_log2(ratio: Fraction) -> int:
    """Return the largest f with 2**f <= ratio."""
    exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= ratio else exponent - 1
