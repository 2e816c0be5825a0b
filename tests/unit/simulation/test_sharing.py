from __future__ import annotations

from pathlib import Path

import pytest

from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.domain.identity import Commitment
from fednet.errors import BlobMissingError
from fednet.simulation.sharing import SharedStore


def test_what_no_site_published_is_missed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"bytes")
    store = MemoryStore(MemorySwarm(), tmp_path / "cache")
    locator, commitment = store.publish(path), Commitment.of(b"bytes")
    # The store has it, but no site of this rehearsal could know that.
    stranger = SharedStore(store)
    assert not stranger.serves(locator)
    with pytest.raises(BlobMissingError):
        stranger.fetch(commitment, [locator], 100, 1.0)
    assert SharedStore(store, [locator]).fetch(commitment, [locator], 100, 1.0).read_bytes()


def test_what_a_site_published_is_served_before_the_store_has_it(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"bytes")
    store = MemoryStore(MemorySwarm(), tmp_path / "cache")
    shared = SharedStore(store)
    locator = shared.publish(path)
    assert shared.serves(locator)
    assert shared.fetch(Commitment.of(b"bytes"), [locator], 100, 1.0) == path
    with pytest.raises(BlobMissingError):
        store.fetch(Commitment.of(b"bytes"), [locator], 100, 1.0)
    shared.settle()
    assert store.fetch(Commitment.of(b"bytes"), [locator], 100, 1.0).read_bytes() == b"bytes"
