"""The weighted sum and the plain server step, compiled by numba; imported only where that pays."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from fednet.aggregation.kernels import GROUP_SIZE, DoubleArray
from fednet.domain.tensors import FloatArray

LARGEST = np.finfo(np.float32).max


@numba.njit("void(f8[::1], f4[::1], f8)", nogil=True, cache=True)
def _add(total: DoubleArray, values: FloatArray, weight: float) -> None:
    for at in range(values.size):
        total[at] += weight * numba.float64(values[at])


@numba.njit(
    "void(f8[::1], f4[::1], f4[::1], f4[::1], f4[::1], f8, f8, f8, f8)", nogil=True, cache=True
)
def _add_four(
    total: DoubleArray,
    first: FloatArray,
    second: FloatArray,
    third: FloatArray,
    fourth: FloatArray,
    w1: float,
    w2: float,
    w3: float,
    w4: float,
) -> None:
    for at in range(total.size):
        partial = total[at] + w1 * numba.float64(first[at])
        partial = partial + w2 * numba.float64(second[at])
        partial = partial + w3 * numba.float64(third[at])
        total[at] = partial + w4 * numba.float64(fourth[at])


@numba.njit("b1(f4[::1], f8[::1], f8)", nogil=True, cache=True)
def step(model: FloatArray, delta: DoubleArray, factor: float) -> bool:
    """Add a multiple of the combined difference; tell whether all is finite."""
    wrong = 0
    for at in range(model.size):
        value = numba.float32(numba.float64(model[at]) + factor * delta[at])
        wrong += not abs(value) <= LARGEST
        model[at] = value
    return wrong == 0


class NumbaKernel:
    """The same operations in one pass over the chunk."""

    def add(
        self, total: DoubleArray, group: Sequence[FloatArray], weights: Sequence[float]
    ) -> None:
        if len(group) == GROUP_SIZE:
            first, second, third, fourth = group
            w1, w2, w3, w4 = weights
            _add_four(total, first, second, third, fourth, w1, w2, w3, w4)
            return
        for values, weight in zip(group, weights, strict=True):
            _add(total, values, weight)
