"""Group sites by the direction of their updates, the same on every machine.

Sites whose data agree push the model the same way: the cosine between their
updates tells them apart (Sattler, Müller and Samek 2020,
https://arxiv.org/abs/1910.01991). The updates of one round are grouped by
agglomerative clustering with average linkage, once.

Products are elementwise float64, folded in halves within fixed chunks; no
BLAS, whose order of additions differs between machines. Equal similarities go
to the lowest site ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fednet.aggregation.kernels import DoubleArray
from fednet.aggregation.vector import Contribution, Vector
from fednet.domain.identity import SiteId
from fednet.domain.tensors import FloatArray

_LANES = 1 << 12
"""Elements that are multiplied at a time; a power of two."""


class FirstOfAll:
    """Read a state of several clusters as if each had the first one's model and moments.

    Args:
        state: A state whose clusters follow one another in equal blocks.
        clusters: How many.
    """

    def __init__(self, state: Vector, clusters: int) -> None:
        self._state = state
        self._block = state.element_count // clusters
        self.element_count = state.element_count

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        done = 0
        while done < out.size:
            at = (start + done) % self._block
            size = min(out.size - done, self._block - at)
            self._state.read_into(at, out[done : done + size])
            done += size


def group_by_similarity(contributions: Sequence[Contribution], count: int) -> dict[SiteId, int]:
    """Assign each site to one of ``count`` groups by the cosines of their updates.

    Groups are numbered by their lowest site; there are fewer if fewer sites came.

    Args:
        contributions: At least one, of equal length, every value finite; any order.
        count: At least 1.
    """
    ordered = sorted(contributions, key=lambda each: each.site)
    groups = link(cosines([each.values for each in ordered]), count)
    return {ordered[row].site: number for number, rows in enumerate(groups) for row in rows}


def cosines(vectors: Sequence[Vector]) -> DoubleArray:
    """Return the cosine of each pair as (n, n) float64; 0 where an update is zero."""
    dots = _products(vectors)
    norms = np.sqrt(np.diagonal(dots))
    scale = norms[:, None] * norms[None, :]
    found = np.zeros_like(dots)
    np.divide(dots, scale, out=found, where=scale > 0)
    return found


def link(similarity: DoubleArray, count: int) -> list[list[int]]:
    """Merge the two groups of the greatest mean similarity until ``count`` are left.

    Args:
        similarity: Symmetric (n, n) float64.
        count: At least 1.

    Returns:
        Rows by group, ascending; groups by their lowest row.
    """
    sums = similarity.copy()
    sizes = np.ones(len(sums))
    groups = [[row] for row in range(len(sums))]
    alive = np.triu(np.ones(sums.shape, bool), 1)
    for _ in range(len(groups) - count):
        means = np.where(alive, sums / (sizes[:, None] * sizes[None, :]), -np.inf)
        # argmax takes the first of equals: the lowest sites, as rows ascend with them.
        first, second = divmod(int(np.argmax(means)), len(sums))
        sums[first] += sums[second]
        sums[:, first] += sums[:, second]
        sizes[first] += sizes[second]
        alive[second] = alive[:, second] = False
        groups[first] = sorted(groups[first] + groups[second])
        groups[second] = []
    return [rows for rows in groups if rows]


def _products(vectors: Sequence[Vector]) -> DoubleArray:
    count, length = len(vectors), vectors[0].element_count
    dots = np.zeros((count, count))
    narrow = np.empty(_LANES, np.float32)
    rows, products = np.zeros((count, _LANES)), np.empty((count, _LANES))
    for start in range(0, length, _LANES):
        size = min(_LANES, length - start)
        for row, vector in enumerate(vectors):
            vector.read_into(start, narrow[:size])
            np.copyto(rows[row, :size], narrow[:size])
        rows[:, size:] = 0.0
        for row in range(count):
            found = products[row:]
            np.multiply(rows[row], rows[row:], out=found)
            width = _LANES
            while width > 1:
                width //= 2
                np.add(found[:, :width], found[:, width : 2 * width], out=found[:, :width])
            dots[row, row:] += found[:, 0]
    upper = np.triu(dots, 1)
    return np.asarray(dots + upper.T)
