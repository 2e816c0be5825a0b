"""What a page owes to everybody, looked up in the page as the browser built it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_LOOK = Path(__file__).with_suffix(".js").read_text("utf-8")


def faults(page: Page) -> list[str]:
    """List what keeps somebody from using the page."""
    found: list[str] = page.evaluate(_LOOK)
    return found


def overflow(page: Page) -> int:
    """Tell by how many pixels the page is wider than the screen."""
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
