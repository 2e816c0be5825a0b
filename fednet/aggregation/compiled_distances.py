"""The distances compiled by numba; imported only where that pays."""

from __future__ import annotations

import numba
import numpy as np

from fednet.aggregation.distances import BLOCK_ELEMENTS, LANES, Groups
from fednet.aggregation.kernels import DoubleArray
from fednet.domain.tensors import FloatArray


@numba.njit(
    "void(f4[:, :], f8[:, ::1], f8[::1], i8[:, ::1], f8[::1])",
    nogil=True,
    cache=True,
)
def _add(
    points: FloatArray, wide: DoubleArray, sums: DoubleArray, groups: Groups, totals: DoubleArray
) -> None:
    for point in range(points.shape[0]):
        for at in range(BLOCK_ELEMENTS):
            wide[point, at] = numba.float64(points[point, at])
    position = 0
    for group in range(groups.shape[0]):
        one = groups[group, 0]
        for other in range(groups[group, 1], groups[group, 2]):
            for lane in range(LANES):
                d0 = wide[other, lane] - wide[one, lane]
                d1 = wide[other, lane + LANES] - wide[one, lane + LANES]
                d2 = wide[other, lane + 2 * LANES] - wide[one, lane + 2 * LANES]
                d3 = wide[other, lane + 3 * LANES] - wide[one, lane + 3 * LANES]
                total = d0 * d0 + d1 * d1
                total = total + d2 * d2
                total = total + d3 * d3
                d4 = wide[other, lane + 4 * LANES] - wide[one, lane + 4 * LANES]
                d5 = wide[other, lane + 5 * LANES] - wide[one, lane + 5 * LANES]
                d6 = wide[other, lane + 6 * LANES] - wide[one, lane + 6 * LANES]
                d7 = wide[other, lane + 7 * LANES] - wide[one, lane + 7 * LANES]
                total = total + d4 * d4
                total = total + d5 * d5
                total = total + d6 * d6
                sums[lane] = total + d7 * d7
            width = LANES // 2
            while width >= 1:
                for lane in range(width):
                    sums[lane] += sums[lane + width]
                width //= 2
            totals[position] += sums[0]
            position += 1


class NumbaDistances:
    """The same sums in one pass over the block for each pair.

    Args:
        points: How many there are.
    """

    def __init__(self, points: int) -> None:
        self._wide = np.empty((points, BLOCK_ELEMENTS), np.float64)
        self._sums = np.empty(LANES, np.float64)

    def add(self, points: FloatArray, groups: Groups, totals: DoubleArray) -> None:
        _add(points, self._wide, self._sums, groups, totals)
