"""Sums, differences and tails of numbers that only their logarithms can hold."""

from __future__ import annotations

import math

_FAR = 20.0
"""From here on `math.erfc` nears what a float can hold, and its series is exact to 1e-15."""
_TERMS = 12


def log_add(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b))."""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def log_subtract(a: float, b: float) -> float:
    """Return log(exp(a) - exp(b)); minus infinity where they are equal.

    Raises:
        ValueError: b is above a.
    """
    if b > a:
        raise ValueError("the difference is negative")
    if b == -math.inf:
        return a
    if a == b:
        return -math.inf
    # log1p keeps the digits where b is far below a, and cannot overflow.
    return a + math.log1p(-math.exp(b - a))


def log_erfc(x: float) -> float:
    """Return log(erfc(x)), also where erfc(x) itself is no longer a float.

    Far out by the asymptotic series of Abramowitz and Stegun, 7.1.23.
    """
    if x < _FAR:
        return math.log(math.erfc(x))
    total, term = 1.0, 1.0
    for k in range(1, _TERMS):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return -x * x - math.log(x * math.sqrt(math.pi)) + math.log(total)
