"""Squared distances between updates, the same on every machine.

A block of 2048 elements is widened to float64 and subtracted; the squares of
its 8 rows of 256 lanes are added row after row, and the lanes folded in halves.
Blocks are added in order within each of 16 stretches of the vector, and the
stretches in order. Elements beyond the end count as zeros, which change no bit.
NumPy is normative, numba quicker; no BLAS has a part in it.

A finite float32 value cannot overflow any of these sums.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fednet.aggregation.chunks import Worker, for_each_chunk
from fednet.aggregation.kernels import DoubleArray, choose_kernel
from fednet.aggregation.vector import Contribution
from fednet.domain.tensors import FloatArray

LANES = 256
ROWS = 8
BLOCK_ELEMENTS = LANES * ROWS
_STRETCHES = 16
_BUFFER_BLOCKS = 400
"""Blocks that a thread reads at once, of all updates together."""

Groups = npt.NDArray[np.int64]
"""One row for each point: its number, and the first and last but one of the points it meets."""


class DistanceKernel(Protocol):
    """Add up squared differences over one block; an instance belongs to one thread."""

    def add(self, points: FloatArray, groups: Groups, totals: DoubleArray) -> None:
        """Add each pair's sum over a block to its total.

        Args:
            points: One row of ``BLOCK_ELEMENTS`` for each point.
            groups: Which points meet.
            totals: One for each pair, in the order of the groups.
        """
        ...


class NumpyDistances:
    """The normative form.

    Args:
        points: How many there are.
    """

    def __init__(self, points: int) -> None:
        self._wide = np.empty((points, BLOCK_ELEMENTS), np.float64)
        self._squares = np.empty((points, BLOCK_ELEMENTS), np.float64)

    def add(self, points: FloatArray, groups: Groups, totals: DoubleArray) -> None:
        np.copyto(self._wide, points)
        position = 0
        for one, first, stop in groups.tolist():
            squares = self._squares[: stop - first]
            np.subtract(self._wide[first:stop], self._wide[one], out=squares)
            np.multiply(squares, squares, out=squares)
            sums = squares[:, :LANES]
            for row in range(1, ROWS):
                np.add(sums, squares[:, row * LANES : (row + 1) * LANES], out=sums)
            width = LANES
            while width > 1:
                width //= 2
                np.add(sums[:, :width], sums[:, width : 2 * width], out=sums[:, :width])
            part = totals[position : position + stop - first]
            np.add(part, sums[:, 0], out=part)
            position += stop - first


def squared_distances(
    contributions: Sequence[Contribution],
    threads: int,
    kernel: str | None = None,
    *,
    with_origin: bool = False,
) -> list[list[float]]:
    """Return the squared Euclidean distance of each two updates, as a symmetric matrix.

    Args:
        contributions: At least one, of equal length; every value is finite.
        threads: At least 1.
        kernel: "numpy" or "numba"; the quicker one unless given.
        with_origin: Whether the zero vector is one more point, the last.
    """
    count = len(contributions) + with_origin
    groups = np.array([(one, one + 1, count) for one in range(count - 1)], np.int64).reshape(-1, 3)
    totals = iter(_totals(contributions, count, groups, threads, kernel))
    matrix = [[0.0] * count for _ in range(count)]
    for one in range(count):
        for other in range(one + 1, count):
            matrix[one][other] = matrix[other][one] = next(totals)
    return matrix


def squared_norms(
    contributions: Sequence[Contribution], threads: int, kernel: str | None = None
) -> list[float]:
    """Return the squared Euclidean norm of each update."""
    count = len(contributions)
    groups = np.array([(count, 0, count)], np.int64)
    return _totals(contributions, count + 1, groups, threads, kernel)


def _totals(
    contributions: Sequence[Contribution],
    points: int,
    groups: Groups,
    threads: int,
    kernel: str | None,
) -> list[float]:
    """Add up each pair's squared differences; points beyond the updates are zeros."""
    element_count = contributions[0].values.element_count
    pairs = int((groups[:, 2] - groups[:, 1]).sum())
    name = kernel or choose_kernel(element_count * pairs)
    blocks = -(-element_count // BLOCK_ELEMENTS)
    stretch = -(-blocks // _STRETCHES) * BLOCK_ELEMENTS
    totals = np.zeros((_STRETCHES, pairs), np.float64)
    size = max(1, _BUFFER_BLOCKS // points) * BLOCK_ELEMENTS

    def make_worker() -> Worker:
        adding = _make(name, points)
        values = np.zeros((points, size), np.float32)

        def work(start: int, end: int) -> None:
            for at in range(start, end, size):
                read = min(size, end - at)
                for entry, row in zip(contributions, values, strict=False):
                    entry.values.read_into(at, row[:read])
                    row[read:] = 0.0
                for block in range(0, read, BLOCK_ELEMENTS):
                    part = values[:, block : block + BLOCK_ELEMENTS]
                    adding.add(part, groups, totals[start // stretch])

        return work

    if pairs:
        for_each_chunk(element_count, threads, make_worker, stretch)
    sums = np.zeros(pairs, np.float64)
    for row in totals:
        np.add(sums, row, out=sums)
    return sums.tolist()


def _make(name: str, points: int) -> DistanceKernel:
    if name == "numba":
        compiled = importlib.import_module("fednet.aggregation.compiled_distances")
        kernel: DistanceKernel = compiled.NumbaDistances(points)
        return kernel
    return NumpyDistances(points)
