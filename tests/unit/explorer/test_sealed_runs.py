"""A run that seals, in the explorer: what it says without a key, and with one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fednet.explorer import Kept, Window, create_app
from fednet.privacy.sealing import KeySource
from fednet.provenance import LedgerIndex
from tests.unit.audit.sealed_world import SealedWorld
from tests.unit.explorer.test_verifying import Home
from tests.unit.explorer.visiting import Visitor


@dataclass
class Keys:
    """What the home opens blobs with, while the window is open."""

    source: KeySource | None = None


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def home(tmp_path: Path, keys: Keys) -> Iterator[Home]:
    world = SealedWorld(tmp_path, rounds=4)
    reader: Any = world
    with ExitStack() as opened:
        index = LedgerIndex.open(tmp_path / "index.sqlite", world.deployment)
        opened.enter_context(closing(index))

        def kept() -> Kept:
            shown = (world.checkpoint(1),)
            return Kept(shown, (), tmp_path / "audits", lambda run: keys.source)

        window = Window(reader, world.store, index, 1.0, kept)
        yield Home(world, window, opened.enter_context(Visitor(create_app(window))))


def test_without_a_key_a_run_is_sealed_and_not_replayed(home: Home) -> None:
    home.world.play(2)
    assert "sealed, not replayed" in home.verify()
    assert "sealed, not replayed Verify again" in home.words("/runs/1/rounds/1")
    audit = home.words("/runs/1/audit")
    assert "sealed, not replayed" in audit
    assert "violation" not in audit
    replay = home.window.verifier.latest(1)
    assert replay is not None
    assert replay.report is not None
    assert not replay.report.accused


def test_with_a_key_it_is_replayed_and_without_it_never_recalled(home: Home, keys: Keys) -> None:
    home.world.play(2)
    assert isinstance(home.world, SealedWorld)
    keys.source = home.world.keyring()
    assert home.verify().strip().startswith("verified")
    assert "verified Verify again" in home.words("/runs/1/rounds/2")
    assert "Recalled" in home.verify()
    keys.source = None
    blind = home.verify()
    assert "sealed, not replayed" in blind
    assert "Recalled" not in blind
