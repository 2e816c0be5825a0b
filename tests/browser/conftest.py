"""A real Chromium on real pages; whatever it complains about fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import hypothesis  # noqa: F401 - its look for referrers fails once the server has frozen them
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.maintenance.browser import find_browser
from tests.attacks.network import Network
from tests.browser import serving

OpenPage = Callable[..., Page]


@dataclass(frozen=True)
class Explored:
    """An explorer over two runs, one of which was tampered with."""

    network: Network
    url: str
    honest: int
    tampered: int
    altered: str
    """Commitment of the update whose stored bytes were altered."""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = find_browser()
    assert path, "these tests need Chromium: apt-get install chromium"
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=[*root, "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    network = Network(tmp_path_factory.mktemp("explored"))
    try:
        honest = serving.played(network)
        tampered, altered = serving.tamper(network, serving.played(network))
        kept = [serving.signed(network, honest)]
        with serving.served(network, tmp_path_factory.mktemp("window"), kept) as (url, _):
            yield Explored(network, url, honest.run, tampered, altered)
    finally:
        network.close()


@pytest.fixture
def open_page(chromium: Browser, explored: Explored) -> Iterator[OpenPage]:
    """Open pages that report every complaint and every request to a stranger."""
    complaints: list[str] = []
    home = urlsplit(explored.url).netloc
    contexts = []

    def open_it(path: str = "/", **options: object) -> Page:
        context = chromium.new_context(base_url=explored.url, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: said.type in ("error", "warning")
                and complaints.append(f"{page.url}: {said.text}"))  # fmt: skip
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("request", lambda asked: urlsplit(asked.url).netloc == home
                or complaints.append(f"asked a stranger: {asked.url}"))  # fmt: skip
        page.goto(path)
        return page

    yield open_it
    cookies = [cookie for context in contexts for cookie in context.cookies()]
    for context in contexts:
        context.close()
    assert not complaints
    assert not cookies
