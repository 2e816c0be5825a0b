"""Rules that look for a centre among the updates, and norm bounding.

Geometric median: Pillutla et al., "Robust Aggregation for Federated Learning",
2019, https://arxiv.org/abs/1912.13445. From the mean, a fixed number of
smoothed Weiszfeld steps, each of which weighs update u_i by

    1 / max(|u_i - z|, 1e-6)          z being the centre before it

Centred clipping: Karimireddy et al., "Learning from History for Byzantine
Robust Optimization", 2021, https://arxiv.org/abs/2012.10333. From the zero
vector, which is the global model itself, a fixed number of steps

    v <- v + (1/n) sum_i (u_i - v) min(1, norm / |u_i - v|)

Norm bounding: Sun et al., "Can You Really Backdoor Federated Learning?", 2019,
https://arxiv.org/abs/1911.07963. The mean by examples of u_i min(1, norm / |u_i|); a
late update counts by the factor of its staleness, as in `fedavg`.

A centre is always a weighted sum of the updates, so both iterations need no
more than the squared distances d_ij between them (for clipping also from the
zero vector, whose weight makes the sum of all 1): with weights b of sum 1

    |u_i - sum_j b_j u_j|**2 = sum_j b_j d_ij - (1/2) sum_jk b_j b_k d_jk

Examples weigh in norm bounding only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fednet.aggregation.distances import squared_distances, squared_norms
from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.vector import Contribution
from fednet.aggregation.weighted import weighted_sum

Matrix = Sequence[Sequence[float]]

_SMOOTHING = 1e-6
"""Least distance that a step of Weiszfeld divides by."""


class GeometricMedian:
    """Take the point of least total distance; see the module.

    Args:
        iterations: Steps of Weiszfeld.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "geometric-median"

    def __init__(self, iterations: int, kernel: str | None = None) -> None:
        self._iterations = iterations
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        matrix = squared_distances(contributions, threads, self._kernel)
        weights = [1.0 / count] * count
        for _ in range(self._iterations):
            inverse = [
                1.0 / max(distance, _SMOOTHING) for distance in _from_centre(matrix, weights)
            ]
            total = _added(inverse)
            weights = [each / total for each in inverse]
        weighted_sum(contributions, weights, 1.0, emit, threads, self._kernel)
        return {
            "weakened": [
                entry.site
                for entry, weight in zip(contributions, weights, strict=True)
                if weight * (2 * count) < 1.0
            ]
        }


class CentredClipping:
    """Step from the global model towards the updates, none of which pulls too far.

    Args:
        norm: Largest pull of one update, above 0.
        iterations: Steps.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "centred-clipping"

    def __init__(self, norm: float, iterations: int, kernel: str | None = None) -> None:
        self._norm = norm
        self._iterations = iterations
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        matrix = squared_distances(contributions, threads, self._kernel, with_origin=True)
        weights = [0.0] * count + [1.0]
        shares = [1.0] * count
        for _ in range(self._iterations):
            distances = _from_centre(matrix, weights)[:count]
            shares = [_share(distance, self._norm) for distance in distances]
            rest = 1.0 - _added(shares) / count
            weights = [
                weight * rest + share / count
                for weight, share in zip(weights, [*shares, 0.0], strict=True)
            ]
        weighted_sum(contributions, weights[:count], 1.0, emit, threads, self._kernel)
        return _clipped(contributions, shares)


class NormBounding:
    """Average by examples updates that are cut to a norm; see the module.

    Args:
        norm: Largest norm of an update, above 0.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "norm-bounding"

    def __init__(self, norm: float, kernel: str | None = None) -> None:
        self._norm = norm
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        squares = squared_norms(contributions, threads, self._kernel)
        shares = [_share(math.sqrt(square), self._norm) for square in squares]
        coefficients = [
            entry.coefficient * share for entry, share in zip(contributions, shares, strict=True)
        ]
        total = float(sum(entry.weight for entry in contributions))
        weighted_sum(contributions, coefficients, total, emit, threads, self._kernel)
        return _clipped(contributions, shares)


def _from_centre(matrix: Matrix, weights: Sequence[float]) -> list[float]:
    """Return each point's distance from the weighted sum of all."""
    means = []
    for row in matrix:
        total = 0.0
        for weight, square in zip(weights, row, strict=True):
            total += weight * square
        means.append(total)
    spread = 0.0
    for weight, mean in zip(weights, means, strict=True):
        spread += weight * mean
    # Rounding may leave a little less than nothing next to the centre.
    return [math.sqrt(max(mean - spread / 2.0, 0.0)) for mean in means]


def _share(length: float, norm: float) -> float:
    return 1.0 if length <= norm else norm / length


def _added(values: Sequence[float]) -> float:
    """Add in order: the built-in ``sum`` compensates from Python 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total


def _clipped(contributions: Sequence[Contribution], shares: Sequence[float]) -> Outcome:
    return {
        "clipped": [
            entry.site for entry, share in zip(contributions, shares, strict=True) if share < 1.0
        ]
    }
