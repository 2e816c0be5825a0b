"""Click through the explorer as its readers do, on a network with a lie and on one without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import faults, overflow
from tests.browser.conftest import Explored, OpenPage

pytestmark = pytest.mark.browser

VERIFY = re.compile("^Verify (now|again)$")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def verify(page: Page, run: int) -> None:
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name=VERIFY).click()
    expect(page).to_have_url(f"/runs/{run}/audit#verdict")


def test_from_the_overview_to_a_round_and_to_its_model(
    open_page: OpenPage, explored: Explored
) -> None:
    page = open_page("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("The network")
    page.get_by_role("region", name="Runs").get_by_role(
        "link", name=f"run {explored.honest}", exact=True
    ).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Run {explored.honest}")
    expect(page.get_by_role("img", name="Sites by round")).to_be_visible()
    rounds = page.get_by_role("region", name="Rounds")
    expect(rounds.locator("tbody tr")).to_have_count(2)
    rounds.get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Round 2 of run {explored.honest}")
    expect(page.get_by_role("region", name="Updates").locator("tbody tr")).to_have_count(4)
    expect(page.get_by_role("region", name="Votes").locator("tbody tr").first).to_be_visible()
    page.get_by_role("link", name="lineage").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Lineage")
    page.locator(".graph a").first.click()
    expect(page.get_by_role("main")).to_be_visible()


def test_verify_now_replays_and_says_so(open_page: OpenPage, explored: Explored) -> None:
    page = open_page(f"/runs/{explored.honest}/rounds/1")
    expect(page.get_by_text("not verified here")).to_be_visible()
    verify(page, explored.honest)
    expect(page.locator("#verdict")).to_contain_text("up to block")
    expect(page.locator("#verdict .verdict.good")).to_have_text("verified", timeout=20_000)
    page.reload()
    with page.expect_download() as handed:
        page.get_by_role("link", name="as PDF").click()
    assert handed.value.path().read_bytes().startswith(b"%PDF-")
    with page.expect_download() as handed:
        page.get_by_role("link", name="as a report, HTML").click()
    assert f"run {explored.honest}" in handed.value.path().read_text("utf-8")
    page.goto(f"/runs/{explored.honest}/rounds/1")
    expect(page.locator(".heading .verdict")).to_have_text("verified")


def test_what_was_verified_is_recalled_and_can_be_verified_afresh(
    open_page: OpenPage, explored: Explored
) -> None:
    page = open_page("/")
    verify(page, explored.honest)
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("Verify again", timeout=20_000)
    verify(page, explored.honest)
    expect(verdict).to_contain_text("Recalled: rounds 1 to 2, verified on this machine")
    expect(verdict).to_contain_text("Recomputed now: none")
    expect(verdict).not_to_contain_text("Unanchored")
    page.reload()
    expect(page.get_by_role("region", name="Rounds").get_by_text("recalled")).to_have_count(2)
    assert faults(page) == []
    page.get_by_role("button", name="Verify everything afresh").click()
    expect(page).to_have_url(f"/runs/{explored.honest}/audit#verdict")
    expect(verdict).to_contain_text("Verify again", timeout=20_000)
    expect(verdict).not_to_contain_text("Recalled")
    expect(verdict.locator(".verdict.good")).to_have_text("verified")


def test_an_altered_update_is_found_and_nobody_framed(
    open_page: OpenPage, explored: Explored
) -> None:
    page = open_page("/")
    verify(page, explored.tampered)
    expect(page.locator("#verdict .verdict")).to_have_text(
        re.compile("does not hold|cannot be verified"), timeout=20_000
    )
    expect(page.locator("#verdict")).to_contain_text("convicts nobody")
    page.reload()
    expect(page.get_by_role("article").filter(has_text=explored.altered)).to_have_count(1)
    expect(page.locator(".verdict.good")).to_have_count(1)
    page.goto(f"/runs/{explored.tampered}/rounds/2")
    expect(page.locator(".heading .verdict")).to_have_text("unverifiable")
    assert faults(page) == []


def test_search_finds_an_update_by_its_commitment(open_page: OpenPage, explored: Explored) -> None:
    page = open_page("/")
    page.keyboard.press("/")
    page.keyboard.type(explored.altered)
    page.keyboard.press("Enter")
    matches = page.get_by_role("region", name="Matches")
    expect(matches).to_contain_text("update")
    matches.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Round 2")


def test_everything_is_there_without_a_script(open_page: OpenPage, explored: Explored) -> None:
    page = open_page("/", java_script_enabled=False)
    page.get_by_role("link", name=f"run {explored.honest}", exact=True).first.click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    page.get_by_role("button", name=VERIFY).click()
    while page.locator("progress").count():
        page.get_by_role("link", name="Reload").click()
    expect(page.locator("#verdict .verdict")).to_have_text("verified")
    page.get_by_role("searchbox").fill(f"run {explored.tampered}")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("region", name="Matches").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Run {explored.tampered}")
    assert page.locator("button.copy").count() == 0


def paths(explored: Explored) -> list[str]:
    run = explored.honest
    return [
        "/", "/runs", f"/runs/{run}", f"/runs/{run}/rounds/1", f"/runs/{run}/updates",
        f"/runs/{run}/audit", f"/runs/{run}/lineage", "/sites", "/sites/1", "/datasets",
        "/datasets/1", "/members", "/events", "/search?q=run+1",
    ]  # fmt: skip


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_every_page_is_for_everybody(open_page: OpenPage, explored: Explored, colors: str) -> None:
    page = open_page("/", color_scheme=colors)
    found = {}
    for path in paths(explored):
        page.goto(path)
        found[path] = faults(page)
    assert not {path: each for path, each in found.items() if each}


def test_every_page_fits_on_a_phone(open_page: OpenPage, explored: Explored) -> None:
    page = open_page("/", **PHONE)
    wide = {}
    for path in paths(explored):
        page.goto(path)
        wide[path] = overflow(page)
    assert not {path: pixels for path, pixels in wide.items() if pixels > 0}


def test_the_keyboard_reaches_the_content_first(open_page: OpenPage) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_commitment_can_be_copied(open_page: OpenPage, explored: Explored) -> None:
    page = open_page(f"/runs/{explored.honest}", permissions=["clipboard-read", "clipboard-write"])
    place = page.locator("dl.full [data-copy]").first
    place.get_by_role("button").click()
    assert page.evaluate("navigator.clipboard.readText()") == place.get_attribute("data-copy")
