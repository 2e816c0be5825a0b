"""Take the pictures of docs/pictures: the explorer's pages over a network played for them.

Four sites train twice; after the second run one stored update is altered. The
pages are opened in a headless Chromium as a reader opens them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from fednet.explorer import Window
from scripts.maintenance.browser import NAMES, find_browser
from scripts.maintenance.set_up import ROOT
from tests.attacks.network import Network, Run
from tests.browser import serving

FOLDER = ROOT / "docs" / "pictures"
DESK = {"width": 1240, "height": 900}
PHONE = {"width": 390, "height": 844}
MAX_SIZE_BYTES = 300_000
ROUNDS = 6
PAPER = {"width": 850, "height": 1180}
_VERIFIED_SECONDS = 120.0
_VIEWER_MS = 3_000


def main() -> int:
    """Play, open, take; return 1 where there is no browser or a picture is too large."""
    if not find_browser():
        print(f"pictures are taken with Chromium, and none of {', '.join(NAMES)} is here")
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        (folder / "network").mkdir()
        network = Network(folder / "network")
        try:
            honest = _played(network)
            tampered = _played(network)
            serving.tamper(network, tampered, 3)
            with serving.served(network, folder) as (url, window), _browser() as browser:
                for run in (honest, tampered):
                    window.verifier.start(run.run)
                    window.verifier.wait(_VERIFIED_SECONDS)
                take_all(browser, url, honest, tampered)
                take_reports(browser, window, honest, folder)
        finally:
            network.close()
    large = [path.name for path in FOLDER.glob("*.png") if path.stat().st_size > MAX_SIZE_BYTES]
    if large:
        print(f"larger than {MAX_SIZE_BYTES} bytes: {', '.join(large)}")
    return 1 if large else 0


def take_all(browser: Browser, url: str, honest: Run, tampered: Run) -> None:
    """Take every picture."""
    desk = browser.new_context(base_url=url, viewport=DESK)  # type: ignore[arg-type]
    page = desk.new_page()
    for name, path in (
        ("overview", "/"),
        ("run", f"/runs/{honest.run}"),
        ("round", f"/runs/{honest.run}/rounds/2"),
        ("lineage", f"/runs/{honest.run}/lineage"),
        ("audit-verified", f"/runs/{honest.run}/audit"),
        ("audit-altered-update", f"/runs/{tampered.run}/audit"),
        ("site", "/sites/2"),
        ("dataset", "/datasets/1"),
    ):
        take(page, name, path)
    take(page, "run-accuracy", f"/runs/{honest.run}", down_to="of the model after each round")
    dark = browser.new_context(base_url=url, viewport=DESK, color_scheme="dark")  # type: ignore[arg-type]
    take(dark.new_page(), "run-dark", f"/runs/{tampered.run}")
    phone = browser.new_context(base_url=url, viewport=PHONE, is_mobile=True)  # type: ignore[arg-type]
    take(phone.new_page(), "phone", f"/runs/{honest.run}")
    for context in (desk, dark, phone):
        context.close()


def take_reports(browser: Browser, window: Window, run: Run, folder: Path) -> None:
    """Take the audit report's first page as a browser shows it, in both its forms."""
    replay = window.verifier.latest(run.run)
    assert replay is not None
    assert replay.report is not None
    page = browser.new_page(viewport=PAPER)  # type: ignore[arg-type]
    for kind, view in (("html", ""), ("pdf", "#toolbar=0&view=Fit")):
        path = folder / f"report.{kind}"
        path.write_bytes(window.reports.write(replay.report, kind))
        page.goto(f"{path.as_uri()}{view}")
        # The viewer of PDFs is no page: nothing tells when it has drawn.
        page.wait_for_timeout(_VIEWER_MS if kind == "pdf" else 0)
        page.screenshot(path=FOLDER / f"report-{kind}.png")
        print(f"docs/pictures/report-{kind}.png")
    page.close()


def take(page: Page, name: str, path: str, down_to: str = "") -> None:
    """Open a page, scroll down to a caption if one is given, and write what a window shows."""
    page.goto(path)
    if down_to:
        page.locator("figcaption", has_text=down_to).scroll_into_view_if_needed()
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    print(f"docs/pictures/{name}.png")


@contextmanager
def _browser() -> Iterator[Browser]:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_browser(), args=root)
        yield opened
        opened.close()


def _played(network: Network) -> Run:
    with network.open(network.members(), rounds=ROUNDS, evaluation_metric="accuracy") as run:
        run.start()
        run.over()
    return run


if __name__ == "__main__":
    sys.exit(main())
