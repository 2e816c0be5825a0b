"""Rules that look at each coordinate alone: median and trimmed mean.

Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical
Rates", 2018, https://arxiv.org/abs/1803.01498. For each element, over the
values of n updates in ascending order v_1 .. v_n:

    median         v_m of an odd number, the mean of the two in the middle of an even one
    trimmed mean   the mean of v_(b+1) .. v_(n-b)

Examples do not weigh: whoever claims more of them gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.ordering import middle_mean
from fednet.aggregation.vector import Contribution
from fednet.errors import QuorumError


class Median:
    """Take the middle of each coordinate; see the module."""

    name = "median"

    def __init__(self, kernel: str | None = None) -> None:
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        first, stop = (count - 1) // 2, count // 2 + 1
        middle_mean(contributions, first, stop, emit, threads, self._kernel)
        return {}


class TrimmedMean:
    """Average each coordinate without its extremes; see the module.

    Args:
        trim: Values that are cut off at either end.
        kernel: "numpy" or "numba"; the quicker one unless given.
    """

    name = "trimmed-mean"

    def __init__(self, trim: int, kernel: str | None = None) -> None:
        self._trim = trim
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = len(contributions)
        if 2 * self._trim >= count:
            raise QuorumError(
                "too few updates to trim", expected=f"more than {2 * self._trim}", actual=count
            )
        middle_mean(contributions, self._trim, count - self._trim, emit, threads, self._kernel)
        return {}
