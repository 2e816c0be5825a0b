"""Blobs inside one file: found in place, copied when asked, and never written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fednet.blobs.bundled import BundledStore
from fednet.blobs.pieces import scan
from fednet.domain.blobs import FileSpan, InPlaceStore
from fednet.domain.identity import Commitment
from fednet.errors import BlobMissingError, DigestMismatchError, MalformedBlobError, StoreError

CONTENT = b"a blob between others"
NAME = Commitment.of(CONTENT)
OTHER = Commitment.of(b"something else")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BundledStore]:
    archive = tmp_path / "archive"
    archive.write_bytes(b"before" + CONTENT + b"after")
    span = FileSpan(archive, len(b"before"), len(CONTENT))
    with closing(BundledStore({NAME: span, OTHER: span}, tmp_path)) as store:
        yield store
    assert list(tmp_path.iterdir()) == [archive]


def test_blob_is_read_where_it_stands(store: BundledStore) -> None:
    assert isinstance(store, InPlaceStore)
    span = store.find(NAME, len(CONTENT))
    assert (span.offset, span.read_bytes()) == (6, CONTENT)


def test_copy_is_a_file_of_its_own(store: BundledStore) -> None:
    path = store.fetch(NAME, [], len(CONTENT), 1.0)
    assert path.read_bytes() == CONTENT
    assert store.fetch(NAME, [], len(CONTENT), 1.0) == path
    assert store.locate(path) == scan(path)[0].locate()


def test_wrong_missing_and_oversized_blobs_are_told_apart(store: BundledStore) -> None:
    with pytest.raises(DigestMismatchError):
        store.find(OTHER, 1_000)
    with pytest.raises(BlobMissingError):
        store.find(Commitment.of(b""), 1_000)
    with pytest.raises(MalformedBlobError, match="too large"):
        store.find(NAME, len(CONTENT) - 1)


def test_archive_that_was_cut_short_meanwhile_is_no_blob(
    store: BundledStore, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_bytes(b"before" + CONTENT[:3])
    with pytest.raises(DigestMismatchError):
        store.find(NAME, 1_000)


def test_nothing_can_be_written(store: BundledStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="only read"):
        store.publish(tmp_path / "archive")
