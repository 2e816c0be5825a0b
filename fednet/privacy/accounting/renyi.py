"""What noise costs, as Renyi differential privacy (RDP), which adds up over steps and runs.

The sampled Gaussian mechanism: Mironov, Talwar and Zhang, 2019,
https://arxiv.org/abs/1908.10530, section 3.3. From RDP to (epsilon, delta):
Balle et al., 2020, https://arxiv.org/abs/1905.09982, theorem 21. Orders and sums
are those of Opacus' RDP accountant, so that both give the same epsilon.

Neighbours differ in one record that one of them lacks. Sampling must be
Poisson, and neither it nor the noise may be known to who looks at the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from fednet.domain.privacy import NoisySteps
from fednet.errors import PrivacyError
from fednet.privacy.accounting.logarithms import log_add, log_erfc, log_subtract

ORDERS: tuple[float, ...] = (*(1 + x / 10 for x in range(1, 100)), *map(float, range(12, 64)))
"""Orders at which the divergence is bounded; the best of them gives epsilon."""
_NEGLIGIBLE = -30.0
"""Logarithm of terms that a series may end with."""
_ROOT_2 = math.sqrt(2)

Curve = tuple[float, ...]
"""Bound on the Renyi divergence at each of `ORDERS`."""
NOTHING: Curve = (0.0,) * len(ORDERS)


def curve_of(expenses: Iterable[NoisySteps]) -> Curve:
    """Add up what several trainings of one dataset cost."""
    total = NOTHING
    for each in expenses:
        one = _step_curve(each.sample_rate, float(each.noise_multiplier))
        total = tuple(so_far + each.steps * cost for so_far, cost in zip(total, one, strict=True))
    return total


def epsilon_of(curve: Sequence[float], delta: float) -> float:
    """Return the least epsilon that a curve gives at delta.

    Args:
        curve: At each of `ORDERS`.
        delta: Above 0, below 1.

    Raises:
        PrivacyError: No order gives a finite one.
    """
    if not 0 < delta < 1:
        raise PrivacyError("delta is no probability", expected="between 0 and 1", actual=delta)
    if not any(curve):
        return 0.0
    found = min(
        cost - (math.log(delta) + math.log(order)) / (order - 1) + math.log1p(-1 / order)
        for order, cost in zip(ORDERS, curve, strict=True)
    )
    if not math.isfinite(found):
        raise PrivacyError("so little noise protects nobody", hint="raise the noise multiplier")
    return max(0.0, found)


@lru_cache(maxsize=256)
def _step_curve(sample_rate: float, noise_multiplier: float) -> Curve:
    """Return what one step costs."""
    if sample_rate == 1:
        return tuple(order / (2 * noise_multiplier**2) for order in ORDERS)
    return tuple(_divergence(sample_rate, noise_multiplier, order) for order in ORDERS)


def _divergence(rate: float, noise: float, order: float) -> float:
    """Return the bound at one order; infinity where the series cannot be summed in floats."""
    try:
        moment = _whole(rate, noise, int(order)) if order % 1 == 0 else _broken(rate, noise, order)
    except ValueError:
        return math.inf
    return max(0.0, moment) / (order - 1)


def _whole(rate: float, noise: float, order: int) -> float:
    """Sum the moment at a whole order: a binomial over how often the record was drawn."""
    total = -math.inf
    for drawn in range(order + 1):
        chance = math.log(math.comb(order, drawn))
        chance += drawn * math.log(rate) + (order - drawn) * math.log1p(-rate)
        total = log_add(total, chance + (drawn * drawn - drawn) / (2 * noise**2))
    return total


def _broken(rate: float, noise: float, order: float) -> float:
    """Sum the moment at an order between whole ones: two series that meet at z0."""
    meet = noise**2 * math.log(1 / rate - 1) + 0.5
    below, above = -math.inf, -math.inf
    coefficient, i = 1.0, 0
    while True:
        j = order - i
        size = math.log(abs(coefficient)) - math.log(2)
        first = size + i * math.log(rate) + j * math.log1p(-rate) + (i * i - i) / (2 * noise**2)
        first += log_erfc((i - meet) / (_ROOT_2 * noise))
        second = size + j * math.log(rate) + i * math.log1p(-rate) + (j * j - j) / (2 * noise**2)
        second += log_erfc((meet - j) / (_ROOT_2 * noise))
        combine = log_add if coefficient > 0 else log_subtract
        below, above = combine(below, first), combine(above, second)
        if max(first, second) < _NEGLIGIBLE:
            return log_add(below, above)
        coefficient *= j / (i + 1)
        i += 1
