"""Every blob store removes what it is told to, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fednet.blobs.pieces import PIECE_SIZE_BYTES
from fednet.errors import BlobMissingError
from tests.conformance.test_blob_store import (
    CAP,
    PATIENCE_SECONDS,
    SHORT_SECONDS,
    Pair,
    blob,
    embedded,
    kubo,
    memory,
)


@pytest.fixture(scope="module", params=[memory, embedded, kubo], ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    stores = request.param(tmp_path_factory.mktemp("stores"))
    connected = next(stores)
    connected.reader.connect([connected.publisher.address()])
    yield connected
    next(stores, None)


@pytest.mark.parametrize("size_bytes", [1000, 600_000, PIECE_SIZE_BYTES + 1])
def test_blob_store_erases_what_it_published(pair: Pair, tmp_path: Path, size_bytes: int) -> None:
    path, commitment = blob(tmp_path, size_bytes)
    located = pair.publisher.publish(path)
    own = pair.publisher.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    assert pair.publisher.erase(commitment, [located])
    assert not own.exists()
    for store in pair:
        with pytest.raises(BlobMissingError):
            store.fetch(commitment, [located], CAP, SHORT_SECONDS)


def test_blob_store_erases_one_blob_alone(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 300_000)
    located = pair.publisher.publish(path)
    (tmp_path / "other").mkdir()
    kept, known = blob(tmp_path / "other", 300_000)
    place = pair.publisher.publish(kept)
    assert pair.publisher.erase(commitment, [located])
    assert not pair.publisher.erase(commitment, [located])
    copy = pair.reader.fetch(known, [place], CAP, PATIENCE_SECONDS)
    assert copy.read_bytes() == kept.read_bytes()
