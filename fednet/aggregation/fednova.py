"""FedNova: no site drags the model further because it took more steps.

Wang et al., "Tackling the Objective Inconsistency Problem in Heterogeneous
Federated Optimization", 2020, https://arxiv.org/abs/2007.07481. A site that
took t steps of SGD with momentum m moved by as much as

    a(t) = (t - m (1 - m**t) / (1 - m)) / (1 - m)        (t without momentum)

gradients. With weights p_i = w_i / sum w:

    combined = (sum_i p_i a(t_i)) * sum_i p_i u_i / a(t_i)

Momentum is counted within a round: each site begins a round with none.
The numbers of steps are the sites' own word, which nobody can check; the intake
refuses 0, and more than the plan's epochs over its most examples take.
"""

from __future__ import annotations

from collections.abc import Sequence

from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.vector import Contribution
from fednet.aggregation.weighted import weighted_sum
from fednet.errors import AggregationError


class FedNova:
    """Average by examples what each step of a site was worth; see the module.

    Args:
        momentum: Of the sites' optimisers, from 0 up to below 1.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "fednova"

    def __init__(self, momentum: float = 0.0, kernel: str | None = None) -> None:
        self._momentum = momentum
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        lengths = []
        for entry in contributions:
            if entry.steps < 1:
                raise AggregationError(
                    "an update without steps cannot be normalised",
                    subject=f"site {entry.site}",
                    expected="at least 1 step",
                    actual=entry.steps,
                )
            lengths.append(length_of(entry.steps, self._momentum))
        total = float(sum(entry.weight for entry in contributions))
        effective = 0.0
        for entry, length in zip(contributions, lengths, strict=True):
            effective += float(entry.weight) * length
        effective /= total
        coefficients = [
            float(entry.weight) * (effective / length)
            for entry, length in zip(contributions, lengths, strict=True)
        ]
        weighted_sum(contributions, coefficients, total, emit, threads, self._kernel)
        return {}


def length_of(steps: int, momentum: float) -> float:
    """Return how many plain gradients so many steps with momentum add up to."""
    if momentum == 0.0:
        return float(steps)
    rest = 1.0 - momentum
    return (float(steps) - momentum * (1.0 - _power(momentum, steps)) / rest) / rest


def _power(base: float, exponent: int) -> float:
    """Raise by repeated multiplication: the machine's own ``pow`` may round otherwise."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
