"""Plans and records for a page: found wherever one of those who name them says truly they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.domain.identity import Commitment, Locator
from fednet.explorer.window import SmallBlobs

NOWHERE = Locator(b"\x01" * 32)
CAP = 100


def test_place_where_a_blob_is_not_does_not_hide_it_elsewhere(tmp_path: Path) -> None:
    store = MemoryStore(MemorySwarm(), tmp_path / "cache")
    path = tmp_path / "record"
    path.write_bytes(b"record")
    commitment, located = Commitment.of(b"record"), store.publish(path)
    blobs = SmallBlobs(store)
    assert blobs.get(commitment, NOWHERE, CAP) is None
    assert blobs.get(commitment, located, CAP) == b"record"
    assert blobs.get(commitment, NOWHERE, CAP) == b"record"


def test_place_where_a_blob_is_not_is_not_asked_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(MemorySwarm(), tmp_path / "cache")
    asked: list[Commitment] = []
    fetch = store.fetch

    def watch(commitment: Commitment, *rest: object) -> Path:
        asked.append(commitment)
        return fetch(commitment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "fetch", watch)
    blobs = SmallBlobs(store)
    for _ in range(3):
        assert blobs.get(Commitment.of(b"gone"), NOWHERE, CAP) is None
    assert len(asked) == 1
