"""Sorting networks: comparisons in a fixed order, so that many columns are sorted at once.

Batcher, "Sorting networks and their applications", 1968: odd-even merging. A
network for a power of two sorts fewer rows as well, if the missing ones are
thought of as infinite; and where only some ranks are wanted, the comparisons
that cannot reach them are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

Network = tuple[tuple[int, int], ...]
"""Pairs of rows; the lesser value goes to the first."""


@lru_cache(maxsize=32)
def network(rows: int, first: int, stop: int) -> Network:
    """Return the comparisons that bring the ranks from ``first`` up to ``stop`` to their rows."""
    wanted = set(range(first, stop))
    kept = []
    for low, high in reversed(list(_merge_sort(rows))):
        if low in wanted or high in wanted:
            wanted |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _merge_sort(rows: int) -> Iterator[tuple[int, int]]:
    run = 1
    while run < rows:
        step = run
        while step >= 1:
            for start in range(step % run, rows - step, 2 * step):
                for at in range(start, min(start + step, rows - step)):
                    if at // (2 * run) == (at + step) // (2 * run):
                        yield at, at + step
            step //= 2
        run *= 2
