"""Rules that choose whole updates by how near others are: Krum, Multi-Krum, Bulyan.

Krum and Multi-Krum: Blanchard et al., "Machine Learning with Adversaries:
Byzantine Tolerant Gradient Descent", 2017, https://arxiv.org/abs/1703.02757.
The score of an update, among n of which f may be hostile, is the sum of its
squared distances to the n - f - 2 nearest others. Krum takes the update of the
least score, Multi-Krum averages the m of the least scores, m <= n - f - 2.

Bulyan: El Mhamdi et al., "The Hidden Vulnerability of Distributed Learning in
Byzantium", 2018, https://arxiv.org/abs/1802.07927. Krum chooses n - 2 f
updates, one after another, each among those that are left and with at least
one neighbour; of each coordinate's chosen values the n - 4 f that are nearest
to their median are averaged.

Of equal scores the lowest site wins. Examples do not weigh.
"""

from __future__ import annotations

from collections.abc import Sequence

from fednet.aggregation.distances import squared_distances
from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.ordering import nearest_mean
from fednet.aggregation.vector import Contribution
from fednet.aggregation.weighted import weighted_sum
from fednet.errors import QuorumError

Matrix = Sequence[Sequence[float]]


class MultiKrum:
    """Average the updates with the nearest neighbours; see the module.

    Args:
        hostile: Updates that may be hostile.
        keep: Updates that are averaged; 0 takes as many as may be.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "multi-krum"

    def __init__(self, hostile: int, keep: int = 0, kernel: str | None = None) -> None:
        self._hostile = hostile
        self._keep = keep
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        _require(count, 2 * self._hostile + 3, self.name)
        most = count - self._hostile - 2
        keep = min(self._keep, most) if self._keep else most
        matrix = squared_distances(contributions, threads, self._kernel)
        scores = _scores(matrix, range(count), most)
        order = sorted(range(count), key=lambda at: (scores[at], at))
        chosen = [contributions[at] for at in sorted(order[:keep])]
        weighted_sum(chosen, [1.0] * keep, float(keep), emit, threads, self._kernel)
        return _told(contributions, chosen)


class Krum(MultiKrum):
    """Take the one update with the nearest neighbours; see the module."""

    name = "krum"

    def __init__(self, hostile: int, kernel: str | None = None) -> None:
        super().__init__(hostile, 1, kernel)


class Bulyan:
    """Choose by Krum, then average what is nearest to the median; see the module.

    Args:
        hostile: Updates that may be hostile.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "bulyan"

    def __init__(self, hostile: int, kernel: str | None = None) -> None:
        self._hostile = hostile
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        _require(count, 4 * self._hostile + 3, self.name)
        matrix = squared_distances(contributions, threads, self._kernel)
        left = list(range(count))
        for _ in range(count - 2 * self._hostile):
            scores = _scores(matrix, left, max(1, len(left) - self._hostile - 2))
            left.remove(min(left, key=lambda at: (scores[at], at)))
        refused = frozenset(left)
        chosen = [entry for at, entry in enumerate(contributions) if at not in refused]
        nearest_mean(chosen, count - 4 * self._hostile, emit, threads, self._kernel)
        return _told(contributions, chosen)


def _scores(matrix: Matrix, among: Sequence[int], neighbours: int) -> dict[int, float]:
    """Add up each one's least distances to others, in ascending order."""
    scores = {}
    for one in among:
        row = matrix[one]
        total = 0.0
        for distance in sorted(row[other] for other in among if other != one)[:neighbours]:
            total += distance
        scores[one] = total
    return scores


def _require(count: int, least: int, name: str) -> None:
    if count < least:
        raise QuorumError(f"too few updates for {name}", expected=f"at least {least}", actual=count)


def _told(contributions: Sequence[Contribution], chosen: Sequence[Contribution]) -> Outcome:
    sites = {entry.site for entry in chosen}
    return {
        "chosen": sorted(sites),
        "left_out": sorted({entry.site for entry in contributions} - sites),
    }
