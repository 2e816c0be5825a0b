"""The squared Euclidean norm of a vector, the same on every machine.

Squares of float32 are exact in float64. They are added lane by lane, chunk
after chunk, and the lanes are folded in halves; every step is an elementwise
NumPy operation, so neither the instruction set nor a BLAS can change a bit.
A finite float32 vector cannot overflow the sum: a result that is not finite
says that a value is not.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fednet.codec.files import CHUNK_ELEMENTS
from fednet.domain.tensors import FloatArray


class Vector(Protocol):
    """A flat float32 vector that is read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the elements."""
        ...

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a buffer with the elements from ``start`` on."""
        ...


def squared_norm(vector: Vector) -> float:
    """Sum the squares of a vector; infinite or NaN if any value is."""
    count = vector.element_count
    lanes = min(CHUNK_ELEMENTS, count)
    values = np.empty(lanes, np.float32)
    squares = np.empty(lanes, np.float64)
    # Lanes beyond the vector would only add zeros, which change no bit.
    width = 1 << (lanes - 1).bit_length()
    sums = np.zeros(width, np.float64)
    with np.errstate(invalid="ignore"):
        for start in range(0, count, CHUNK_ELEMENTS):
            size = min(CHUNK_ELEMENTS, count - start)
            vector.read_into(start, values[:size])
            np.copyto(squares[:size], values[:size])
            np.multiply(squares[:size], squares[:size], out=squares[:size])
            np.add(sums[:size], squares[:size], out=sums[:size])
        while width > 1:
            width //= 2
            np.add(sums[:width], sums[width : 2 * width], out=sums[:width])
    return float(sums[0])
