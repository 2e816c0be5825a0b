"""The rules that sort, compiled by numba; imported only where that pays."""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt

from fednet.aggregation.kernels import DoubleArray
from fednet.aggregation.networks import network
from fednet.domain.tensors import FloatArray

LANES = 128
"""Columns sorted at once: fifty rows of them fit a core's first cache."""

Comparisons = npt.NDArray[np.int64]


@numba.njit("void(f4[:, ::1], i8[:, ::1])", nogil=True, cache=True)
def _sort(lanes: FloatArray, comparisons: Comparisons) -> None:
    for at in range(comparisons.shape[0]):
        low, high = comparisons[at, 0], comparisons[at, 1]
        for lane in range(LANES):
            one, other = lanes[low, lane], lanes[high, lane]
            lanes[low, lane] = one if one < other else other
            lanes[high, lane] = other if one < other else one


@numba.njit("void(f4[:, ::1], f4[:, ::1], i8)", nogil=True, cache=True)
def _load(rows: FloatArray, lanes: FloatArray, start: int) -> None:
    """Copy columns next to one another; the last ones stand in for those beyond the end."""
    width = min(LANES, rows.shape[1] - start)
    for row in range(rows.shape[0]):
        for lane in range(width):
            lanes[row, lane] = rows[row, start + lane]
        for lane in range(width, LANES):
            lanes[row, lane] = rows[row, start + width - 1]


@numba.njit("void(f4[:, ::1], i8[:, ::1], i8, i8, f8[::1])", nogil=True, cache=True)
def _middle(
    rows: FloatArray, comparisons: Comparisons, first: int, stop: int, out: DoubleArray
) -> None:
    lanes = np.empty((rows.shape[0], LANES), np.float32)
    sums = np.empty(LANES, np.float64)
    divisor = numba.float64(stop - first)
    for start in range(0, rows.shape[1], LANES):
        _load(rows, lanes, start)
        _sort(lanes, comparisons)
        sums[:] = 0.0
        for rank in range(first, stop):
            for lane in range(LANES):
                sums[lane] += numba.float64(lanes[rank, lane])
        for lane in range(min(LANES, rows.shape[1] - start)):
            out[start + lane] = sums[lane] / divisor


@numba.njit("void(f4[:, ::1], i8[:, ::1], i8, f8[::1])", nogil=True, cache=True)
def _nearest(rows: FloatArray, comparisons: Comparisons, keep: int, out: DoubleArray) -> None:
    count = rows.shape[0]
    lanes = np.empty((count, LANES), np.float32)
    divisor = numba.float64(keep)
    for start in range(0, rows.shape[1], LANES):
        _load(rows, lanes, start)
        _sort(lanes, comparisons)
        for lane in range(min(LANES, rows.shape[1] - start)):
            below = numba.float64(lanes[(count - 1) // 2, lane])
            median = (below + numba.float64(lanes[count // 2, lane])) / 2.0
            low, high = 0, count - 1
            while high - low + 1 > keep:
                above = numba.float64(lanes[high, lane]) - median
                if above >= median - numba.float64(lanes[low, lane]):
                    high -= 1
                else:
                    low += 1
            total = 0.0
            for rank in range(low, high + 1):
                total += numba.float64(lanes[rank, lane])
            out[start + lane] = total / divisor


class NumbaOrder:
    """The same results by a sorting network over a few columns at a time."""

    def middle(self, rows: FloatArray, first: int, stop: int, out: DoubleArray) -> None:
        _middle(rows, _comparisons(len(rows), first, stop), first, stop, out)

    def nearest(self, rows: FloatArray, keep: int, out: DoubleArray) -> None:
        _nearest(rows, _comparisons(len(rows), 0, len(rows)), keep, out)


@lru_cache(maxsize=32)
def _comparisons(rows: int, first: int, stop: int) -> Comparisons:
    return np.array(network(rows, first, stop), np.int64).reshape(-1, 2)
