"""A clipping norm that follows the sites, by what each tells in its masked update.

Andrew et al., 2021, https://arxiv.org/abs/1905.03871: beside its update each site tells
whether it was within the norm, and the noisy share of those that were moves the norm of the
next round (see `fednet.privacy.clipping`). Told is one more value, ``COUNT`` or its
opposite. Update and word together have the norm that the noise reckons with, so that both
cost no more than an update alone; noise weighs 1 / ``UPDATE`` times as much on the update.
That is theorem 1 of the paper.

Values are told in units of the round's norm: ring and noise are the same in every round,
and what is decoded is measured by the norm again. As sites weigh in a sum by their
examples, so do their words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from fednet.domain import canonical
from fednet.domain.sections import PrivacySection
from fednet.domain.tensors import FloatArray
from fednet.privacy.clipping import next_norm
from fednet.privacy.masking.combining import Emit
from fednet.privacy.masking.fixed_point import DoubleArray
from fednet.privacy.masking.hiding import SumNoise
from fednet.privacy.masking.masked import Values

COUNT = 0.25
"""Part of the norm that the word takes."""
UPDATE = math.sqrt(1 - COUNT * COUNT)
"""Part that is left to the update; a square root is rounded alike on every machine."""
LEAST_NORM, MOST_NORM = Decimal("0.000000001"), Decimal(10**9)
_MOST_DIGITS = 40


def round_norm(privacy: PrivacySection, told: str) -> Decimal:
    """Return the clipping norm of a round.

    Args:
        privacy: Of the plan.
        told: What the last final round settled; empty in round 1. What is no such norm is
            the plan's own: records come from strangers, and everybody has to get the same.
    """
    if not privacy.adapts or not told or len(told) > _MOST_DIGITS:
        return privacy.clip_norm
    try:
        is_normal = canonical.decimal_text(told) == told
    except ValueError:
        return privacy.clip_norm
    is_norm = is_normal and LEAST_NORM <= Decimal(told) <= MOST_NORM
    return Decimal(told) if is_norm else privacy.clip_norm


def noise_in_mean(privacy: PrivacySection, noise: SumNoise, sites: int) -> float:
    """Return the deviation of a value of the mean, if all weigh the cap; of round 1, if it adapts.

    Args:
        privacy: Of the plan.
        noise: What the plan makes of a cohort.
        sites: In the sum.
    """
    measure = float(privacy.clip_norm) / UPDATE if privacy.adapts else 1.0
    return noise.deviation_of_mean(sites) * measure


@dataclass(frozen=True, slots=True)
class Telling:
    """Read an update as it is masked: in units of the norm, and the word after it."""

    values: Values
    """The update, cut to the norm."""
    norm: Decimal
    """Of the round."""
    within: bool
    """Whether it was no longer than the norm before it was cut."""

    @property
    def element_count(self) -> int:
        """Count the elements, the word among them."""
        return self.values.element_count + 1

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        own = out[: max(0, self.values.element_count - start)]
        if own.size:
            self.values.read_into(start, own)
            own[:] = own.astype(np.float64) * (UPDATE / float(self.norm))
        if own.size < out.size:
            out[-1] = COUNT if self.within else -COUNT


class Hearing:
    """Take a mean apart: hand the update on, in its own measure, and keep the word.

    Args:
        emit: Takes the update.
        element_count: Of the update.
        norm: Of the round.
    """

    def __init__(self, emit: Emit, element_count: int, norm: Decimal) -> None:
        self._emit = emit
        self._count = element_count
        self._norm = norm
        self._word = 0.0

    def take(self, start: int, mean: DoubleArray) -> None:
        """Take the next elements; they are changed."""
        own = mean[: max(0, self._count - start)]
        if own.size < mean.size:
            self._word = float(mean[-1])
        if own.size:
            np.multiply(own, float(self._norm) / UPDATE, out=own)
            self._emit(start, own)

    def settle(self, privacy: PrivacySection) -> dict[str, str | int | list[int]]:
        """Say, as a round's record does, how much was within the norm, and the next one."""
        share = Fraction(self._word / COUNT + 1) / 2
        found = next_norm(self._norm, share, 1, privacy.quantile, privacy.norm_rate)
        bounded = min(MOST_NORM, max(LEAST_NORM, found))
        return {"next_norm": canonical.decimal_text(bounded), "within": f"{float(share):.3f}"}
