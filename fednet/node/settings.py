"""How a node paces itself; what it works with is injected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Times in seconds."""

    poll_seconds: float = 0.05
    """First pause between two looks at the chain; grows while nothing happens."""
    idle_poll_seconds: float = 0.5
    """Longest pause between two looks."""
    scan_seconds: float = 1.0
    """Pause between two looks at register and catalogue of runs."""
    longest_pause_seconds: float = 5.0
    """Longest pause after failures in a row."""
    dial_seconds: float = 15.0
    """Pause between two attempts to reach the stores of other sites."""
    fetch_threads: int = 4
    recompute_threads: int = 2
