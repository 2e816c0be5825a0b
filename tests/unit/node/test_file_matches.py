"""A file is hashed again as soon as anybody touched it, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fednet.domain.identity import Commitment
from fednet.node import files
from fednet.node.files import file_matches

DATA, OTHER = b"the bytes of a state", b"the bytes of a stale"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.write_bytes(DATA)
    return path


def test_file_written_a_moment_ago_is_hashed_each_time(state: Path) -> None:
    assert file_matches(state, Commitment.of(DATA))
    assert state not in files._hashed


def test_file_left_alone_is_hashed_once(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SETTLED_NANOSECONDS", -(10**9))
    assert file_matches(state, Commitment.of(DATA))
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("read again"))
    assert file_matches(state, Commitment.of(DATA))
    assert not file_matches(state, Commitment.of(OTHER))


def test_bytes_changed_under_the_same_size_and_time_are_found(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SETTLED_NANOSECONDS", -(10**9))
    found = state.stat()
    assert file_matches(state, Commitment.of(DATA))
    os.utime(state, ns=(found.st_atime_ns, found.st_mtime_ns - 10**9))
    state.write_bytes(OTHER)
    os.utime(state, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert not file_matches(state, Commitment.of(DATA))


def test_file_that_is_gone_matches_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SETTLED_NANOSECONDS", -(10**9))
    assert file_matches(state, Commitment.of(DATA))
    state.unlink()
    assert not file_matches(state, Commitment.of(DATA))
