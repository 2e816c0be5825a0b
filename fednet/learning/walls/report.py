"""What a wall is called, and whether it stands; pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

WallName = Literal["files", "network", "processes", "privileges", "namespaces", "memory"]
WALL_NAMES: tuple[WallName, ...] = get_args(WallName)
ESSENTIAL_WALLS: tuple[WallName, ...] = ("files", "network")
"""Without these a task is not let in, unless the site's settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Wall:
    """Say of one wall whether it stands and by what, or why not."""

    name: WallName
    stands: bool
    reason: str
    """What holds it when it stands; what is missing when it does not."""

    @property
    def essential(self) -> bool:
        """Tell whether a task is refused when this wall is missing."""
        return self.name in ESSENTIAL_WALLS


def missing_essentials(walls: Iterable[Wall]) -> tuple[WallName, ...]:
    """Name the essential walls that do not stand, unreported ones among them."""
    standing = {wall.name for wall in walls if wall.stands}
    return tuple(name for name in ESSENTIAL_WALLS if name not in standing)
