"""The reports that can be taken along."""

from __future__ import annotations

from fednet.explorer.window import Window
from fednet.provenance import RunRow


def downloads(window: Window, run: RunRow) -> list[tuple[str, str]]:
    """Name the reports of a run and their addresses."""
    return []
