"""Measure an update's values while they stream by: the norm of each tensor, what is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fednet.domain.tensors import FloatArray
from fednet.domain.update import UpdateFile

_CHUNK_ELEMENTS = 1 << 16


@dataclass(frozen=True, slots=True)
class Measured:
    """What the values of an update come to."""

    norms: Mapping[str, float]
    """Euclidean norm by tensor; of no meaning where a value is not finite."""
    strange_values: int
    """How many are NaN or infinite."""

    @property
    def norm(self) -> float:
        """Return the Euclidean norm of all tensors together."""
        return math.sqrt(sum(norm * norm for norm in self.norms.values()))


def measure(file: UpdateFile) -> Measured:
    """Read an update once, in constant memory.

    Raises:
        MalformedBlobError: Its bytes say nothing that could be read.
    """
    squares: dict[str, float] = {}
    strange = 0
    for name, chunk in chunks(file):
        wide = chunk.astype(np.float64)
        # The square of a finite float32 is a finite float64, and so is their sum.
        np.square(wide, out=wide)
        part = float(wide.sum())  # np.dot would keep BLAS's threads spinning beside the node's
        if not math.isfinite(part):
            strange += int(np.count_nonzero(~np.isfinite(chunk)))
            part = 0.0
        squares[name] = squares.get(name, 0.0) + part
    return Measured({name: math.sqrt(square) for name, square in squares.items()}, strange)


def chunks(file: UpdateFile) -> Iterator[tuple[str, FloatArray]]:
    """Yield stretches of one tensor each, in the file's order; the buffer is used again."""
    buffer = np.empty(min(_CHUNK_ELEMENTS, max(file.element_count, 1)), np.float32)
    start = 0
    for spec in file.layout.tensors:
        end = start + spec.element_count
        while start < end:
            chunk = buffer[: min(len(buffer), end - start)]
            file.read_into(start, chunk)
            yield spec.name, chunk
            start += len(chunk)
