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
KeyArray = npt.NDArray[np.int32]
_ALL_BUT_THE_SIGN = np.int32(0x7FFFFFFF)


@numba.njit("i4(i4)", nogil=True, cache=True)
def _key(bits: np.int32) -> np.int32:
    """Turn a float's bits into an integer that sorts as the float does, or back."""
    return bits ^ ((bits >> np.int32(31)) & _ALL_BUT_THE_SIGN)


@numba.njit("void(i4[:, ::1], i8[:, ::1])", nogil=True, cache=True)
def _sort(lanes: KeyArray, comparisons: Comparisons) -> None:
    # Of floats, LLVM makes masked stores, which cost some processors four times as much.
    for at in range(comparisons.shape[0]):
        low, high = comparisons[at, 0], comparisons[at, 1]
        for lane in range(LANES):
            one, other = lanes[low, lane], lanes[high, lane]
            lanes[low, lane] = min(one, other)
            lanes[high, lane] = max(one, other)


@numba.njit("void(i4[:, ::1], i4[:, ::1], i8)", nogil=True, cache=True)
def _load(rows: KeyArray, lanes: KeyArray, start: int) -> None:
    """Copy columns next to one another; the last ones stand in for those beyond the end."""
    width = min(LANES, rows.shape[1] - start)
    for row in range(rows.shape[0]):
        for lane in range(width):
            lanes[row, lane] = _key(rows[row, start + lane])
        for lane in range(width, LANES):
            lanes[row, lane] = lanes[row, width - 1]


@numba.njit("void(i4[:, ::1], i8, i8)", nogil=True, cache=True)
def _restore(lanes: KeyArray, first: int, stop: int) -> None:
    """Turn some ranks back into floats."""
    for rank in range(first, stop):
        for lane in range(LANES):
            lanes[rank, lane] = _key(lanes[rank, lane])


@numba.njit("void(i4[:, ::1], i8[:, ::1], i8, i8, f8[::1])", nogil=True, cache=True)
def _middle(
    rows: KeyArray, comparisons: Comparisons, first: int, stop: int, out: DoubleArray
) -> None:
    lanes = np.empty((rows.shape[0], LANES), np.int32)
    floats = lanes.view(np.float32)
    sums = np.empty(LANES, np.float64)
    divisor = numba.float64(stop - first)
    for start in range(0, rows.shape[1], LANES):
        _load(rows, lanes, start)
        _sort(lanes, comparisons)
        _restore(lanes, first, stop)
        sums[:] = 0.0
        for rank in range(first, stop):
            for lane in range(LANES):
                sums[lane] += numba.float64(floats[rank, lane])
        for lane in range(min(LANES, rows.shape[1] - start)):
            out[start + lane] = sums[lane] / divisor


@numba.njit("void(i4[:, ::1], i8[:, ::1], i8, f8[::1])", nogil=True, cache=True)
def _nearest(rows: KeyArray, comparisons: Comparisons, keep: int, out: DoubleArray) -> None:
    count = rows.shape[0]
    lanes = np.empty((count, LANES), np.int32)
    floats = lanes.view(np.float32)
    medians, sums = np.empty(LANES, np.float64), np.empty(LANES, np.float64)
    low, high = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    divisor = numba.float64(keep)
    for start in range(0, rows.shape[1], LANES):
        _load(rows, lanes, start)
        _sort(lanes, comparisons)
        _restore(lanes, 0, count)
        low[:], high[:], sums[:] = 0, count - 1, 0.0
        for lane in range(LANES):
            below = numba.float64(floats[(count - 1) // 2, lane])
            medians[lane] = (below + numba.float64(floats[count // 2, lane])) / 2.0
        for _ in range(count - keep):
            for lane in range(LANES):
                above = numba.float64(floats[high[lane], lane]) - medians[lane]
                below = medians[lane] - numba.float64(floats[low[lane], lane])
                # Without a branch: which side is farther is as good as random.
                is_above = numba.int64(above >= below)
                high[lane] -= is_above
                low[lane] += 1 - is_above
        for rank in range(keep):
            for lane in range(LANES):
                sums[lane] += numba.float64(floats[low[lane] + rank, lane])
        for lane in range(min(LANES, rows.shape[1] - start)):
            out[start + lane] = sums[lane] / divisor


class NumbaOrder:
    """The same results by a sorting network over a few columns at a time."""

    def middle(self, rows: FloatArray, first: int, stop: int, out: DoubleArray) -> None:
        comparisons = _comparisons(len(rows), first, stop)
        _middle(rows.view(np.int32), comparisons, first, stop, out)

    def nearest(self, rows: FloatArray, keep: int, out: DoubleArray) -> None:
        _nearest(rows.view(np.int32), _comparisons(len(rows), 0, len(rows)), keep, out)


@lru_cache(maxsize=32)
def _comparisons(rows: int, first: int, stop: int) -> Comparisons:
    return np.array(network(rows, first, stop), np.int64).reshape(-1, 2)
