"""Cut an update to a norm, and find that norm by what sites say of it (adaptive clipping).

The norm follows a quantile: Andrew et al., 2021, https://arxiv.org/abs/1905.03871. Each
site adds to the sum, beside its update, whether it was within the norm; the noisy count
moves the norm up or down until a share of ``target`` is within. Everybody has to get the
same norm: in decimal arithmetic, whose exponential is rounded correctly on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import numpy as np

from fednet.domain.tensors import FloatArray
from fednet.errors import PrivacyError

_ARITHMETIC = Context(prec=40, rounding=ROUND_HALF_EVEN)
_WRITTEN = Context(prec=12, rounding=ROUND_HALF_EVEN)
_SHRINK = 1 - 2.0**-20
"""Makes room for the rounding of each value to float32, and of the length."""


def cut_to_norm(update: Mapping[str, FloatArray], norm: Decimal) -> dict[str, FloatArray]:
    """Return an update in the same direction, whose Euclidean norm is below a bound.

    One that is short enough is returned as it is, and so is one that is not finite, which
    whoever looks at it refuses.

    Args:
        update: By tensor, any shapes.
        norm: Above 0.
    """
    length = _length(update)
    if not math.isfinite(length) or is_within(update, norm):
        return dict(update)
    factor = float(norm) * _SHRINK / length
    return {name: np.multiply(each, factor, dtype=np.float64).astype(np.float32)
            for name, each in update.items()}  # fmt: skip


def is_within(update: Mapping[str, FloatArray], norm: Decimal) -> bool:
    """Tell whether an update is short enough as it is."""
    return _length(update) <= float(norm) * _SHRINK


def _length(update: Mapping[str, FloatArray]) -> float:
    wide = (each.ravel().astype(np.float64) for each in update.values())
    return math.sqrt(math.fsum(float(np.dot(each, each)) for each in wide))


def next_norm(
    norm: Decimal, within: Fraction, sites: int, target: Decimal, rate: Decimal
) -> Decimal:
    """Return the norm of the next round, to twelve digits: norm * exp(-rate (share - target)).

    Args:
        norm: Of this round, above 0.
        within: How many updates were within it, with noise: any fraction.
        sites: In the sum, at least 1.
        target: Share that should be within; 0.5 is the median.
        rate: How fast the norm moves; 0.2 is the paper's.

    Raises:
        PrivacyError: A number is out of range.
    """
    if norm <= 0 or sites < 1 or not 0 <= target <= 1 or rate < 0:
        raise PrivacyError(
            "no clipping norm follows from these numbers", subject="adaptive clipping",
            expected="a norm above 0, 1 site or more, a target between 0 and 1",
            actual=f"{norm}, {sites}, {target}, rate {rate}",
        )  # fmt: skip
    # Noise may say more than all, or less than none.
    share = min(Fraction(1), max(Fraction(0), within / sites))
    wide = _ARITHMETIC.divide(Decimal(share.numerator), Decimal(share.denominator))
    move = _ARITHMETIC.multiply(rate, _ARITHMETIC.subtract(target, wide))
    return _WRITTEN.plus(_ARITHMETIC.multiply(norm, _ARITHMETIC.exp(move))).normalize(_WRITTEN)
