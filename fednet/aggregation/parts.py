"""Move between an update's flat vector and the places of the state that it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fednet.aggregation.vector import Vector
from fednet.domain.shape import Part, Segment, StateShape
from fednet.domain.tensors import FloatArray

Write = Callable[[int, FloatArray], None]
"""Takes a start and the elements of the state from there on."""


class PartOfState:
    """Read from a state what an update of one part would change, as one flat vector."""

    def __init__(self, state: Vector, part: Part) -> None:
        self._state = state
        self._part = part
        self.element_count = part.layout.element_count

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        for segment, at, end in overlaps(self._part, start, start + out.size):
            begin = at - start
            self._state.read_into(
                segment.state_start + at - segment.start, out[begin : begin + end - at]
            )


def overlaps(part: Part, start: int, end: int) -> Iterator[tuple[Segment, int, int]]:
    """List the segments that a stretch of an update's vector lies in, each with its share."""
    for segment in part.segments:
        first, last = max(start, segment.start), min(end, segment.start + segment.count)
        if first < last:
            yield segment, first, last


def untouched(shape: StateShape, parts: frozenset[int]) -> Iterator[tuple[int, int]]:
    """List the stretches of the state that no update of the given parts changes."""
    touched = []
    for part in shape.parts:
        for segment in part.segments if part.number in parts else ():
            for start in (segment.state_start, *segment.slot_starts):
                touched.append((start, start + segment.count))
    position = 0
    for start, end in sorted(touched):
        if position < start:
            yield position, start
        position = end
    if position < shape.state.element_count:
        yield position, shape.state.element_count


def copy_untouched(
    base: Vector, shape: StateShape, parts: frozenset[int], write: Write, chunk_elements: int
) -> None:
    """Carry over what no update changes."""
    buffer = np.empty(min(chunk_elements, shape.state.element_count), np.float32)
    for start, end in untouched(shape, parts):
        for at in range(start, end, chunk_elements):
            values = buffer[: min(chunk_elements, end - at)]
            base.read_into(at, values)
            write(at, values)
