"""Watch a run while it happens: a real round, held in one phase after another by its members.

Two members run real nodes; the other two act by hand, so that the round cannot go on
before they do. Windows on the run and on the round follow with JavaScript and are never
reloaded; another has none, shows nothing new by itself, and is reloaded as the page offers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.network import Member, Run
from tests.browser.accessibility import faults
from tests.browser.conftest import Explored, OpenPage

pytestmark = pytest.mark.browser

FOLLOWED_MS = 30_000
"""How long a page may take to show what the chain says: two pauses of a few seconds, and a load."""


@dataclass(frozen=True)
class Watcher:
    """Somebody with two windows on one run."""

    live: Page
    still: Page
    """Without JavaScript."""

    def sees(self, phase: str, *, in_round: int = 1, told: str) -> None:
        """Expect a phase in the live window by itself, and in the other after a reload."""
        before = step(self.still).text_content()
        expect(step(self.live, in_round)).to_have_text(phase, timeout=FOLLOWED_MS)
        expect(self.live.get_by_text(told)).to_be_visible(timeout=FOLLOWED_MS)
        assert self.live.evaluate("window.opened") == "once"
        assert step(self.still).text_content() == before
        end = time.monotonic() + FOLLOWED_MS / 1_000
        # Phases come from the chain, figures from the index, which is seconds behind.
        while not self.still.get_by_text(told).count() or figures(self.still) != figures(self.live):
            assert time.monotonic() < end, self.still.locator(".figures").inner_text()
            self.still.get_by_role("link", name="Reload").click()
        expect(step(self.still, in_round)).to_have_text(phase)
        assert faults(self.live) == []


def step(page: Page, in_round: int | None = None) -> Locator:
    """Find the phase that is marked as the present one."""
    name = f"Phases of round {in_round or ''}"
    return page.get_by_role("list", name=name).locator("[aria-current=step]")


def figures(page: Page) -> list[str]:
    """Read phase, rounds, updates, sites and credits."""
    return page.locator(".figures dd").all_inner_texts()


def attest(member: Member, run: Run) -> None:
    """Recompute the first proposal by hand and attest it, as a node does."""
    number = RoundNumber(1)
    proposed = run.history.rounds[number].attempts[1].proposals[1].proposed
    [proposer] = [each for each in run.members if each.site == proposed.site]
    right = lies.recomputed(proposer, run)
    assert right.commitment == proposed.record
    member.writer.attest(run.run, member.site, number, 1, 1, right.witness(member.site))


def test_a_round_is_followed_from_phase_to_phase(open_page: OpenPage, explored: Explored) -> None:
    members = explored.network.members()
    by_hand, with_nodes = members[:2], members[2:]
    with explored.network.open(members, rounds=2) as run:
        live = open_page("/")
        entry = live.get_by_role("region", name="Runs").get_by_role(
            "link", name=f"run {run.run}", exact=True
        )
        entry.click(timeout=FOLLOWED_MS)
        live.evaluate("window.opened = 'once'")
        watcher = Watcher(live, open_page(f"/runs/{run.run}", java_script_enabled=False))
        watcher.sees("collecting", told="0 of 4 submitted, 0 attested, quorum 3.")

        run.start(*with_nodes)
        run.wait(lambda _: len(run.submissions()) == 2)
        watcher.sees("collecting", told="2 of 4 submitted, 0 attested")
        round_page = open_page(f"/runs/{run.run}/rounds/1")
        round_page.evaluate("window.opened = 'once'")
        acts = round_page.locator(".timeline g title")
        expect(acts).to_have_count(2)

        updates = [lies.update(member, run.place()) for member in by_hand]
        for member, update in zip(by_hand, updates, strict=True):
            lies.submit(member, run, update)
        run.reach(Phase.PROPOSING)
        watcher.sees("proposing", told="4 of 4 submitted, 0 attested")
        expect(acts).to_have_count(4, timeout=FOLLOWED_MS)

        for member, update in zip(by_hand, updates, strict=True):
            member.store.publish(update.path)
        run.reach(Phase.ATTESTING)
        run.wait(lambda _: run.state.attested == 2)
        watcher.sees("attesting", told="4 of 4 submitted, 2 attested")
        expect(acts).to_have_count(4 + 1 + 2, timeout=FOLLOWED_MS)

        run.stop()
        attest(by_hand[0], run)
        assert run.state.phase is Phase.FINAL
        watcher.sees("final", told="1 of 1 begun")
        rounds = watcher.live.get_by_role("region", name="Rounds").locator("tbody tr")
        expect(rounds).to_have_count(1)
        expect(rounds).to_contain_text("final")

        expect(acts).to_have_count(4 + 1 + 3, timeout=FOLLOWED_MS)
        expect(round_page.locator(".figures")).to_contain_text("final")
        expect(round_page.locator("[data-live]")).to_have_count(0)
        assert round_page.evaluate("window.opened") == "once"
        assert faults(round_page) == []

        by_hand[1].writer.advance(run.run)
        watcher.sees("collecting", in_round=2, told="0 of 4 submitted, 0 attested")
        expect(rounds).to_have_count(2)
