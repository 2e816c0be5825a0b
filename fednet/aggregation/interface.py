"""The interface that every rule shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fednet.aggregation.kernels import DoubleArray
from fednet.aggregation.vector import Contribution

Outcome = dict[str, str | int | list[int]]
"""What a rule chose, as the round record keeps it: sites by what became of them."""
Emit = Callable[[int, DoubleArray], None]
"""Takes a start and the combined difference from there on; may use the buffer up."""


class Rule(Protocol):
    """Combine updates by a pure function of their values, weights and sites."""

    name: str

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        """Emit every element of the combined difference once and say what was chosen.

        Args:
            contributions: At least one, in ascending order of site, of equal length;
                every value is finite.
            emit: Takes float64 elements; any order, from any thread.
            threads: At least 1; must not change a bit.

        Returns:
            Sites that were left out or cut down, under the words of the rule;
            empty where a rule treats all alike.

        Raises:
            AggregationError: The updates cannot be combined.
        """
        ...
