"""The arithmetic of rules that sort: NumPy is normative, numba quicker.

Both sort each column of a chunk, widen to float64, and add in ascending order
from +0, so that it does not matter in which order equal values, or zeros of
either sign, come to lie.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fednet.aggregation.chunks import Worker, for_each_chunk
from fednet.aggregation.interface import Emit
from fednet.aggregation.kernels import DoubleArray, choose_kernel
from fednet.aggregation.vector import CHUNK_ELEMENTS, Contribution
from fednet.domain.tensors import FloatArray

_BUFFER_ELEMENTS = 1 << 19
"""Values that a thread holds at once, so that they stay in its core's cache."""
_LEAST_CHUNK = 1 << 10


class OrderKernel(Protocol):
    """Combine one chunk, given as an array of one row an update, which is used up."""

    def middle(self, rows: FloatArray, first: int, stop: int, out: DoubleArray) -> None:
        """Average the values of ranks ``first`` up to ``stop`` of each column."""
        ...

    def nearest(self, rows: FloatArray, keep: int, out: DoubleArray) -> None:
        """Average the ``keep`` values nearest to each column's median; of two, the lesser."""
        ...


class NumpyOrder:
    """The normative form."""

    def middle(self, rows: FloatArray, first: int, stop: int, out: DoubleArray) -> None:
        rows.sort(axis=0)
        out.fill(0.0)
        for rank in range(first, stop):
            np.add(out, rows[rank], out=out)
        np.divide(out, float(stop - first), out=out)

    def nearest(self, rows: FloatArray, keep: int, out: DoubleArray) -> None:
        rows.sort(axis=0)
        wide = rows.astype(np.float64)
        count = len(rows)
        below, above = (count - 1) // 2, count // 2
        median = (wide[below] + wide[above]) / 2.0
        columns = np.arange(out.size)
        low = np.zeros(out.size, np.intp)
        high = np.full(out.size, count - 1, np.intp)
        for _ in range(count - keep):
            above_is_farther = wide[high, columns] - median >= median - wide[low, columns]
            high -= above_is_farther
            low += ~above_is_farther
        out.fill(0.0)
        for rank in range(keep):
            np.add(out, wide[low + rank, columns], out=out)
        np.divide(out, float(keep), out=out)


def middle_mean(
    contributions: Sequence[Contribution],
    first: int,
    stop: int,
    emit: Emit,
    threads: int,
    kernel: str | None = None,
) -> None:
    """Emit, for each element, the mean of the values of ranks ``first`` up to ``stop``.

    Args:
        contributions: At least ``stop``, of equal length.
        first: Rank from 0.
        stop: Rank after the last; above ``first``.
        emit: Takes float64 elements.
        threads: At least 1.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """
    _each_column(
        contributions,
        lambda order, rows, out: order.middle(rows, first, stop, out),
        emit,
        threads,
        kernel,
    )


def nearest_mean(
    contributions: Sequence[Contribution],
    keep: int,
    emit: Emit,
    threads: int,
    kernel: str | None = None,
) -> None:
    """Emit, for each element, the mean of the ``keep`` values nearest to the median."""
    _each_column(
        contributions,
        lambda order, rows, out: order.nearest(rows, keep, out),
        emit,
        threads,
        kernel,
    )


class _Combine(Protocol):
    def __call__(self, order: OrderKernel, rows: FloatArray, out: DoubleArray, /) -> None: ...


def _each_column(
    contributions: Sequence[Contribution],
    combine: _Combine,
    emit: Emit,
    threads: int,
    kernel: str | None,
) -> None:
    element_count, count = contributions[0].values.element_count, len(contributions)
    chunk = max(_LEAST_CHUNK, min(CHUNK_ELEMENTS, _BUFFER_ELEMENTS // count))
    order = _make(kernel or choose_kernel(element_count * count * count.bit_length()))

    def make_worker() -> Worker:
        size = min(chunk, element_count)
        buffer = np.empty(count * size, np.float32)
        result = np.empty(size, np.float64)

        def work(start: int, end: int) -> None:
            rows = buffer[: count * (end - start)].reshape(count, end - start)
            for entry, row in zip(contributions, rows, strict=True):
                entry.values.read_into(start, row)
            out = result[: end - start]
            combine(order, rows, out)
            emit(start, out)

        return work

    for_each_chunk(element_count, threads, make_worker, chunk)


def _make(name: str) -> OrderKernel:
    if name == "numba":
        compiled = importlib.import_module("fednet.aggregation.compiled_ordering")
        order: OrderKernel = compiled.NumbaOrder()
        return order
    return NumpyOrder()
