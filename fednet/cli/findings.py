"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True
    """Whether a site can work without it."""
