"""Replays in the explorer: what they recall, what they compare with, and how they say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import Digest, RoundNumber
from fednet.errors import SettingsError
from fednet.explorer import Kept, Window, create_app
from fednet.provenance import IndexedBlock, LedgerIndex
from tests.unit.audit.books import RUN
from tests.unit.audit.world import World
from tests.unit.explorer.visiting import URL, Visitor

PATIENCE_SECONDS = 60.0


@dataclass
class Home:
    """A home whose window looks at a run that is played in memory."""

    world: World
    window: Window
    visitor: Visitor
    shown: list[SignedCheckpoint] = field(default_factory=list)
    known: int = 0

    def verify(self, *, afresh: bool = False) -> str:
        """Press a button and wait; return the words of the verdict."""
        self.learn()
        path = f"/runs/{RUN}/verify" + ("/afresh" if afresh else "")
        assert self.visitor.post(path, headers={"Origin": URL}).status_code == 303
        self.window.verifier.wait(PATIENCE_SECONDS)
        return self.words(f"/runs/{RUN}/panel")

    def words(self, path: str) -> str:
        """Read a page as a person does."""
        text = re.sub(r"<[^>]+>", "", self.visitor.get(path).text)
        return re.sub(r"\s+", " ", unescape(text))

    def learn(self) -> None:
        """Bring the window's index up to what was played."""
        events = [*self.world.events_seen, *self.world.logged]
        new = sorted((each.log.block, each) for each in events if each.log.block > self.known)
        heads = self.world.blocks([block for block, _ in new])
        self.window.index.ingest(
            IndexedBlock(head, [event]) for head, (_, event) in zip(heads, new, strict=True)
        )
        self.known = self.world.block


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    world = World(tmp_path, rounds=4)
    reader: Any = world
    shown: list[SignedCheckpoint] = []
    with ExitStack() as opened:
        index = LedgerIndex.open(tmp_path / "index.sqlite", world.deployment)
        opened.enter_context(closing(index))
        window = Window(
            reader, world.store, index, 1.0, lambda: Kept(tuple(shown), (), tmp_path / "audits")
        )
        visitor = opened.enter_context(Visitor(create_app(window)))
        yield Home(world, window, visitor, shown)


def lose_update(home: Home, round_number: int, site: int) -> None:
    """Let nobody serve an update any more."""
    lost = home.world.updates[(RoundNumber(round_number), 1, home.world.sites[site - 1])]
    home.world.store._objects.pop(home.world.store.locate(lost))
    for path in (home.world.folder / "cache").rglob("*"):
        if path.is_file():
            path.unlink()


def test_a_grown_run_is_looked_at_where_it_is_new_and_the_page_says_so(home: Home) -> None:
    home.world.play(2)
    first = home.verify()
    assert "Recalled" not in first
    assert "afresh" not in first
    home.world.play(1)
    grown = home.verify()
    assert "Recalled: rounds 1 to 2, verified on this machine" in grown
    assert "and unchanged on the ledger since. Recomputed now: 3." in grown
    assert "Verify everything afresh" in grown
    text = home.visitor.get("/runs/1/audit").text
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", text, re.DOTALL)
    assert ["recalled" in row for row in rows[:3]] == [True, True, False]
    detail = "Recomputed on this machine before, at block"
    assert detail in home.visitor.get("/runs/1/rounds/2").text
    assert detail not in home.visitor.get("/runs/1/rounds/3").text
    afresh = home.verify(afresh=True)
    assert "verified" in afresh
    assert "Recalled" not in afresh


def test_recalling_asks_for_no_blob_and_looking_afresh_does(home: Home) -> None:
    home.world.play(2)
    assert "verified" in home.verify()
    lose_update(home, 1, 3)
    home.world.play(1)
    recalled = home.verify()
    assert "0 findings" in recalled
    assert "Recalled: rounds 1 to 2" in recalled
    afresh = home.verify(afresh=True)
    assert "cannot be verified" in afresh
    assert "0 findings" not in afresh


def test_a_round_whose_storage_changed_is_recomputed_and_only_the_others_recalled(
    home: Home,
) -> None:
    home.world.play(3)
    home.verify()
    home.world.settlements[RoundNumber(2)] = Digest(bytes([9]) * 32)
    told = home.verify()
    assert "does not hold" in told
    assert "Recalled: rounds 1, 3, verified on this machine" in told
    assert "Recomputed now: 2." in told


def test_checkpoints_of_the_home_are_read_before_each_replay(home: Home) -> None:
    home.world.play(2)
    assert "Unanchored" in home.verify()
    home.shown.append(home.world.checkpoint(1))
    anchored = home.verify()
    assert "Unanchored" not in anchored
    assert "Compared with what 1 account once signed" in anchored


def test_a_history_that_was_rewritten_is_found(home: Home) -> None:
    home.world.play(1)
    home.shown.append(home.world.checkpoint(2, block_hash=Digest(bytes([7]) * 32)))
    assert "does not hold" in home.verify()
    assert "another history than was signed" in home.words("/runs/1/audit")


def test_checkpoints_that_cannot_be_read_are_told_with_a_remedy(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Kept:
        raise SettingsError("cannot read the checkpoints", subject="book", hint="mend the file")

    home.world.play(1)
    assert "verified" in home.verify()
    monkeypatch.setattr(home.window.verifier, "_kept", refuse)
    told = home.verify()
    assert "could not be replayed" in told
    assert "What to do: mend the file" in told


def test_without_a_home_nothing_is_recalled(tmp_path: Path) -> None:
    world = World(tmp_path, rounds=1)
    world.play(1)
    reader: Any = world
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", world.deployment)) as index:
        window = Window(reader, world.store, index, 1.0)
        for _ in range(2):
            assert window.verifier.start(RUN)
            window.verifier.wait(PATIENCE_SECONDS)
            replay = window.verifier.latest(RUN)
            assert replay
            assert replay.report
            assert replay.report.recalled == ()
