"""The discrete Gaussian: whole numbers k with a chance in proportion to exp(-k^2 / (2 variance)).

Canonne, Kamath and Steinke, 2020, https://arxiv.org/abs/2004.00010, algorithms 2 and 3:
a discrete Laplace number is proposed and accepted with a chance of exp(-x), for which
their two acceptances are put into one. **Exact**: comparisons are made in float64 for
many numbers at a time, and wherever rounding could matter (about one in 2**43) the same
random digits are compared with exact fractions (see `uniform`). Floats decide nothing
that fractions would decide otherwise.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isqrt

import numpy as np
import numpy.typing as npt

from fednet.errors import PrivacyError
from fednet.privacy.noise.uniform import Uniform
from fednet.privacy.noise.words import WORD_BITS, Words

MOST_VARIANCE = 1 << 80
"""Proposals then stay below 2**53, where float64 still counts."""
_WHOLE = 1 << WORD_BITS
_ROOM = 2.0**-44
"""More than a float64 exp(-x) is off here, which is (8 x + 8) exp(-x) units of 2**-52 and a few."""
_BATCH = 1 << 16
_TRIALS_PER_NUMBER = 2.3

Integers = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]


def _thresholds() -> _Words:
    """Return floor(2**64 exp(-v)) for v = 1, 2, ..., the last of which is 0."""
    context = Context(prec=50)
    found: list[int] = []
    while not found or found[-1] > 0:
        share = context.multiply(context.exp(Decimal(-len(found) - 1)), Decimal(_WHOLE))
        found.append(int(share.to_integral_value(ROUND_FLOOR)))
    return np.array(found[::-1], np.uint64)


_THRESHOLDS = _thresholds()


def discrete_gaussian(count: int, variance: Fraction, words: Words) -> Integers:
    """Draw whole numbers.

    Args:
        count: How many.
        variance: The distribution's parameter; for a few and more its variance to many digits.
        words: Where randomness comes from.

    Raises:
        PrivacyError: The variance is not above 0, or too large to be drawn exactly.
    """
    if not 0 < variance <= MOST_VARIANCE:
        raise PrivacyError(
            "no discrete Gaussian has such a variance",
            expected=f"above 0 and at most {MOST_VARIANCE}",
            actual=variance,
        )
    found = np.empty(count, np.int64)
    done = 0
    while done < count:
        wanted = min(_BATCH, count - done)
        drawn = _trial(int(wanted * _TRIALS_PER_NUMBER) + 16, variance, words)[:wanted]
        found[done : done + len(drawn)] = drawn
        done += len(drawn)
    return found


def _trial(count: int, variance: Fraction, words: Words) -> Integers:
    """Propose so many numbers; return those that are accepted, in order."""
    scale = isqrt(int(variance)) + 1
    first, second, third = words.take(count), words.take(count), words.take(count)
    # 1. Uniform below the scale, from the top 63 bits; what would favour some is given up.
    top = first >> np.uint64(1)
    step = (_WHOLE // 2) // scale
    offset = top // np.uint64(step)
    fits = offset < np.uint64(scale)
    # 2. How many whole scales beyond it: each one with a chance of exp(-1).
    scales = _scales(second, words)
    size = offset.astype(np.int64) + scales * scale
    # 3. The sign is the first word's last bit; zero has one only.
    is_negative = (first & np.uint64(1)).astype(np.bool_)
    fits &= ~(is_negative & (size == 0))
    # 4. Accepted as Laplace and as Gaussian, in one.
    accepted = _accepts(third, offset, size, scale, variance, words)
    signed = np.where(is_negative, -size, size)
    return signed[fits & accepted]


def _scales(drawn: _Words, words: Words) -> Integers:
    """Return for each word u / 2**64 the largest v with u below exp(-v)."""
    # Thresholds ascend: those above a word are passed.
    passed = len(_THRESHOLDS) - np.searchsorted(_THRESHOLDS, drawn, side="right")
    # A word that is a threshold's own leaves open on which side the number is.
    for at in np.flatnonzero(np.isin(drawn, _THRESHOLDS)):
        number, exact = Uniform(int(drawn[at]), words), 0
        while number.is_below_exp(Fraction(exact + 1)):
            exact += 1
        passed[at] = exact
    return passed.astype(np.int64)


def _accepts(
    drawn: _Words, offset: _Words, size: Integers, scale: int, variance: Fraction, words: Words
) -> npt.NDArray[np.bool_]:
    """Tell which are accepted: with a chance of exp(-offset/scale - (size - v/scale)^2 / 2v)."""
    wide = float(variance)
    x = offset.astype(np.float64) / scale + (size - wide / scale) ** 2 / (2 * wide)
    chance = np.exp(-x)
    number = drawn.astype(np.float64) / _WHOLE
    accepted: npt.NDArray[np.bool_] = number < chance
    for at in np.flatnonzero(np.abs(number - chance) <= _ROOM):
        beyond = int(size[at]) - variance / scale
        exact = Fraction(int(offset[at]), scale) + beyond * beyond / (2 * variance)
        accepted[at] = Uniform(int(drawn[at]), words).is_below_exp(exact)
    return accepted
