"""What a rule reads: flat float32 vectors in chunks, each with the site that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fednet.domain.identity import SiteId
from fednet.domain.sections import WHOLE
from fednet.domain.tensors import FloatArray

CHUNK_ELEMENTS = 1 << 15
"""Elements combined at a time: with two float64 twins they fit a core's own cache."""


class Vector(Protocol):
    """A flat float32 vector that several threads may read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the elements."""
        ...

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        ...


@dataclass(frozen=True, slots=True)
class Contribution:
    """One included update."""

    site: SiteId
    weight: int
    """Examples; at least 1."""
    values: Vector
    """The difference from the base state's part."""
    part: int = 0
    """Part of the state that it changes."""
    steps: int = 0
    """Optimiser steps that it took, as it says itself."""
    factor: int = WHOLE
    """What it counts, being late, in ten-thousandths; for rules in which examples weigh."""

    @property
    def coefficient(self) -> float:
        """Return its examples times its factor, rounded once."""
        return self.weight * self.factor / WHOLE
