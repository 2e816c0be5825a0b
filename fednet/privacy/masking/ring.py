"""The integers modulo 2**32 or 2**64, in which masked updates are added.

Signed numbers stand as two's complement, so that NumPy's unsigned addition,
which wraps, is the ring's.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

RingArray = npt.NDArray[np.unsignedinteger[Any]]
"""Elements of a ring: little-endian uint32 or uint64."""
SignedArray = npt.NDArray[np.signedinteger[Any]]


class Ring(Enum):
    """A ring by the bits of its elements."""

    BITS_32 = 32
    BITS_64 = 64

    @property
    def size_bytes(self) -> int:
        """Size of an element."""
        return self.value // 8

    @property
    def largest(self) -> int:
        """Return the largest number that stands for itself."""
        return (1 << (self.value - 1)) - 1

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Return the NumPy type of an element."""
        return np.dtype(f"<u{self.size_bytes}")

    @property
    def signed_dtype(self) -> np.dtype[np.signedinteger[Any]]:
        """Return the NumPy type that reads an element as a signed number."""
        return np.dtype(f"<i{self.size_bytes}")

    @property
    def tensor_dtype(self) -> str:
        """Name the element as the header of a tensor file does."""
        return f"U{self.value}"

    def signed(self, elements: RingArray) -> SignedArray:
        """Read elements as signed numbers, without a copy."""
        return elements.view(self.signed_dtype)
