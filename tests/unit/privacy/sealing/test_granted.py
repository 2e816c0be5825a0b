"""Granted keys: told apart from blobs that nobody can open, and asked for in turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fednet.domain.identity import Commitment
from fednet.domain.sealed_sizes import sealed_size_bytes as size_by_the_plan
from fednet.errors import ErasedError, SealedError, UnsealingError
from fednet.privacy.sealing import (
    ContentKey,
    Erasure,
    Keychain,
    Keyring,
    SealedBlob,
    is_key_of,
    seal,
    sealed_size_bytes,
    unseal,
)
from tests.unit.privacy.sealing.members import KEY, MEMBERS, PLACE, elsewhere, recipients

CONTENT = bytes(range(256)) * 300
OTHER_KEY = ContentKey(bytes(range(200, 232)))
HEAD = MEMBERS.letter_size_bytes


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "content").write_bytes(CONTENT)
    seal(tmp_path / "content", tmp_path / "sealed", KEY, PLACE, MEMBERS)
    return tmp_path / "sealed"


def altered(path: Path, at: int) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


def test_the_key_of_a_blob_with_a_wrong_letter_is_known_by_the_content(sealed: Path) -> None:
    altered(sealed, 40)
    with pytest.raises(UnsealingError):
        unseal(sealed, sealed.with_name("out"), KEY, PLACE, MEMBERS)
    assert is_key_of(sealed, KEY, PLACE, MEMBERS)
    assert not is_key_of(sealed, OTHER_KEY, PLACE, MEMBERS)


@pytest.mark.parametrize("at", [HEAD, HEAD + 32, HEAD + 32 + 65_552, -1])
def test_the_key_of_a_blob_with_a_wrong_body_is_known_by_the_letter(sealed: Path, at: int) -> None:
    altered(sealed, at)
    with pytest.raises(UnsealingError):
        unseal(sealed, sealed.with_name("out"), KEY, PLACE, MEMBERS)
    assert is_key_of(sealed, KEY, PLACE, MEMBERS)


@pytest.mark.parametrize("size", [0, 1, HEAD, HEAD + 32, HEAD + 40])
def test_a_blob_cut_before_its_content_is_known_by_its_letter_alone(
    sealed: Path, size: int
) -> None:
    sealed.write_bytes(sealed.read_bytes()[:size])
    assert is_key_of(sealed, KEY, PLACE, MEMBERS) == (size >= HEAD)


@pytest.mark.parametrize("place", [elsewhere(round=3), elsewhere(site=1), elsewhere(kind="state")])
def test_a_key_belongs_to_its_place(sealed: Path, place: object) -> None:
    assert not is_key_of(sealed, KEY, place, MEMBERS)  # type: ignore[arg-type]


def test_a_salt_that_is_not_the_contents_gives_no_key_away(sealed: Path) -> None:
    altered(altered(sealed, 40), HEAD)
    assert not is_key_of(sealed, KEY, PLACE, MEMBERS)


def test_a_keychain_asks_in_turn_and_stops_at_an_erasure(sealed: Path) -> None:
    blob = SealedBlob(sealed, Commitment.of(sealed.read_bytes()), PLACE, MEMBERS)
    other = replace(blob, commitment=Commitment.of(b"another"))
    full, empty = Keyring({blob.commitment: KEY}), Keyring({})
    assert Keychain(empty, full).key_of(blob) == KEY
    assert Keychain(full, empty).key_of(blob) == KEY
    with pytest.raises(SealedError) as caught:
        Keychain(empty, full).key_of(other)
    assert caught.value.commitment == other.commitment
    gone = Keyring({}, [Erasure(blob.commitment, Commitment.of(b"grounds"), 5)])
    with pytest.raises(ErasedError):
        Keychain(gone, full).key_of(blob)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 1 << 30])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_plan_bounds_what_sealing_makes(size: int, count: int) -> None:
    members = recipients(range(1, count + 1))
    assert size_by_the_plan(size, count) == sealed_size_bytes(size, members)
