from __future__ import annotations

from pathlib import Path

import pytest

from fednet.blobs.cache import BlobCache
from fednet.domain.identity import Commitment
from fednet.errors import DigestMismatchError, StoreError

DATA = b"some bytes"
NAME = Commitment.of(DATA)


def filled(folder: Path) -> BlobCache:
    cache = BlobCache(folder)
    with cache.put(NAME) as writer:
        writer.write(DATA)
    return cache


def test_cache_returns_what_was_put(tmp_path: Path) -> None:
    path = filled(tmp_path).get(NAME, len(DATA))
    assert path is not None
    assert path.read_bytes() == DATA


def test_cache_drops_altered_bytes(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    cache.path(NAME).write_bytes(DATA[::-1])
    assert cache.get(NAME, 100) is None
    assert list(tmp_path.iterdir()) == []


def test_cache_keeps_to_the_cap(tmp_path: Path) -> None:
    assert filled(tmp_path).get(NAME, len(DATA) - 1) is None


def test_cache_refuses_other_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path)
    with pytest.raises(DigestMismatchError) as caught, cache.put(NAME) as writer:
        writer.write(b"other")
    assert caught.value.expected == NAME
    assert list(tmp_path.iterdir()) == []


def test_cache_leaves_nothing_when_interrupted(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path)
    with pytest.raises(KeyboardInterrupt), cache.put(NAME) as writer:  # noqa: PT012
        writer.write(DATA)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_cache_writer_forgets_a_restarted_part(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path)
    with cache.put(NAME) as writer:
        writer.write(DATA[:4])
        writer.begin_part()
        writer.write(b"lost by a broken connection")
        writer.restart_part()
        writer.write(DATA[4:])
        assert writer.part_commitment() == Commitment.of(DATA[4:])
    assert cache.path(NAME).read_bytes() == DATA


def test_cache_says_when_its_folder_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StoreError) as caught:
        BlobCache(file / "cache")
    assert caught.value.hint
