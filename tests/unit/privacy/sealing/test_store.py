"""The store of keys: durable before use, private, and destroyed for good."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fednet.domain.identity import Commitment
from fednet.errors import ErasedError, MalformedBlobError, SettingsError
from fednet.privacy.sealing import ContentKey, Erasure, KeyStore
from fednet.privacy.sealing import store as store_module
from tests.unit.privacy.sealing.members import KEY, OTHER_PLACES, PLACE, elsewhere

ERASURE = Erasure(Commitment.of(b"sealed"), Commitment.of(b"withdrawal"), 1_700_000_000)
SEALED = ERASURE.commitment
LATER = Erasure(Commitment.of(b"sealed"), Commitment.of(b"another reason"), 1_800_000_000)


OWN_PLACES = [PLACE, *(place for place in OTHER_PLACES if place.site == PLACE.site)]
ANOTHERS = elsewhere(site=1)
TWO = Commitment.of(b"a second blob")


def reopen(folder: Path) -> KeyStore:
    return KeyStore(folder, PLACE.site)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path) -> KeyStore:
    return reopen(folder)


def only_file(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def test_key_is_the_same_after_a_restart(folder: Path, store: KeyStore) -> None:
    key = store.obtain(PLACE)
    assert store.obtain(PLACE) == key
    assert reopen(folder).obtain(PLACE) == key
    assert reopen(folder).find(PLACE, SEALED) == key


def test_every_place_has_a_key_of_its_own(store: KeyStore) -> None:
    keys = {store.obtain(place).secret for place in OWN_PLACES}
    assert len(keys) == len(OWN_PLACES) == 7


def test_only_the_author_draws_a_key(folder: Path, store: KeyStore) -> None:
    with pytest.raises(RuntimeError, match="makes no key"):
        store.obtain(ANOTHERS)
    assert list(folder.iterdir()) == []


def test_only_the_owner_can_look(folder: Path, store: KeyStore) -> None:
    store.obtain(PLACE)
    store.shred(ANOTHERS, ERASURE)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(SettingsError) as caught:
        reopen(tmp_path)
    assert (caught.value.expected, caught.value.actual) == ("mode 700", "mode 750")


def test_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError) as caught:
        reopen(tmp_path / "file" / "keys")
    assert caught.value.subject.endswith("keys")


def test_anothers_key_is_kept(folder: Path, store: KeyStore) -> None:
    assert store.find(ANOTHERS, SEALED) is None
    store.keep(ANOTHERS, SEALED, KEY)
    store.keep(ANOTHERS, SEALED, KEY)
    assert reopen(folder).find(ANOTHERS, SEALED) == KEY
    with pytest.raises(SettingsError) as caught:
        store.keep(ANOTHERS, SEALED, ContentKey(bytes(32)))
    assert caught.value.subject == str(ANOTHERS)
    assert store.find(ANOTHERS, SEALED) == KEY


def test_author_of_two_blobs_in_one_place_disturbs_nobody(store: KeyStore) -> None:
    store.keep(ANOTHERS, SEALED, KEY)
    store.keep(ANOTHERS, TWO, ContentKey(bytes(32)))
    assert store.find(ANOTHERS, SEALED) == KEY
    assert store.find(ANOTHERS, TWO) == ContentKey(bytes(32))
    store.shred(ANOTHERS, ERASURE)
    assert store.find(ANOTHERS, TWO) == ContentKey(bytes(32))
    with pytest.raises(ErasedError):
        store.find(ANOTHERS, SEALED)


def test_destroyed_key_is_gone_for_good(folder: Path, store: KeyStore) -> None:
    key = store.obtain(PLACE)
    other = store.obtain(OWN_PLACES[1])
    assert store.shred(PLACE, ERASURE) == ERASURE
    for each in (store, reopen(folder)):
        for act in (
            lambda at=each: at.obtain(PLACE),
            lambda at=each: at.find(PLACE, SEALED),
            lambda at=each: at.keep(PLACE, SEALED, KEY),
        ):
            with pytest.raises(ErasedError) as caught:
                act()
            assert caught.value.commitment == ERASURE.commitment
            assert caught.value.grounds == ERASURE.grounds
            assert caught.value.erased_at == ERASURE.erased_at
        assert each.obtain(OWN_PLACES[1]) == other
        assert each.erasures() == [ERASURE]
    assert key.secret.hex().encode() not in b"".join(p.read_bytes() for p in folder.iterdir())


def test_anothers_destroyed_key_is_gone_for_good(folder: Path, store: KeyStore) -> None:
    store.keep(ANOTHERS, SEALED, KEY)
    store.shred(ANOTHERS, ERASURE)
    assert not list(folder.glob("*.key"))
    for act in (
        lambda: reopen(folder).find(ANOTHERS, SEALED),
        lambda: store.keep(ANOTHERS, SEALED, KEY),
    ):
        with pytest.raises(ErasedError):
            act()


def test_first_erasure_stands(store: KeyStore) -> None:
    store.obtain(PLACE)
    store.shred(PLACE, ERASURE)
    assert store.shred(PLACE, LATER) == ERASURE
    assert store.erasures() == [ERASURE]


def test_erasures_come_by_time(store: KeyStore) -> None:
    store.shred(PLACE, LATER)
    store.shred(ANOTHERS, ERASURE)
    assert store.erasures() == [ERASURE, LATER]


def test_place_without_a_key_gets_none_later(store: KeyStore) -> None:
    store.shred(PLACE, ERASURE)
    with pytest.raises(ErasedError):
        store.obtain(PLACE)
    store.shred(ANOTHERS, ERASURE)
    with pytest.raises(ErasedError):
        store.keep(ANOTHERS, SEALED, KEY)


def test_key_is_overwritten_before_it_is_removed(
    folder: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second name of the file shows what is left on the disk."""
    store.keep(PLACE, SEALED, KEY)
    path = only_file(folder, ".key")
    witness = folder.parent / "witness"
    os.link(path, witness)
    before = witness.read_bytes()
    synced: list[tuple[bool, bytes]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append((path.exists(), witness.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    store.shred(PLACE, ERASURE)
    assert not path.exists()
    assert synced[0] == (True, before)  # the erasure is durable first
    assert (True, witness.read_bytes()) in synced  # then what the key was overwritten with
    assert synced[-1] == (False, witness.read_bytes())  # then that it is gone
    assert witness.read_bytes() != before
    assert KEY.secret.hex().encode() not in witness.read_bytes()
    assert len(witness.read_bytes()) == len(before)


def test_killed_in_the_middle_it_is_finished_later(
    folder: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep(PLACE, SEALED, KEY)

    def die(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "destroy", die)
        with pytest.raises(KeyboardInterrupt):
            store.shred(PLACE, ERASURE)
    assert only_file(folder, ".key").exists()
    with pytest.raises(ErasedError):
        store.find(PLACE, SEALED)
    reopen(folder)
    assert not list(folder.glob("*.key"))


def test_unfinished_files_are_destroyed(folder: Path, store: KeyStore) -> None:
    left = folder / ".0123.partial"
    left.write_bytes(b"a key, perhaps")
    reopen(folder)
    assert not left.exists()
    assert store.find(PLACE, SEALED) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw | {"key": raw["key"][:-2]},
        lambda raw: raw | {"key": "zz" + raw["key"][2:]},
        lambda raw: raw | {"format": "fednet-content-key/2"},
        lambda raw: raw | {"place": [*raw["place"][:-1], "state"]},
        lambda raw: raw | {"extra": 1},
    ],
    ids=["short", "not hexadecimal", "format", "place", "extra"],
)
def test_damaged_key_is_refused_and_not_told(folder: Path, store: KeyStore, damage: Any) -> None:
    store.keep(PLACE, SEALED, KEY)
    path = only_file(folder, ".key")
    raw = damage(json.loads(path.read_bytes()))
    path.write_text(json.dumps(raw, sort_keys=True, separators=(",", ":")))
    for act in (lambda: store.find(PLACE, SEALED), lambda: store.obtain(PLACE)):
        with pytest.raises(SettingsError) as caught:
            act()
        assert caught.value.subject == str(path)
        assert KEY.secret.hex()[:32] not in f"{caught.value}{caught.value.__cause__}"


def test_unreadable_text_is_damage_too(folder: Path, store: KeyStore) -> None:
    store.keep(PLACE, SEALED, KEY)
    only_file(folder, ".key").write_bytes(b"\xff\xfe not JSON")
    with pytest.raises(SettingsError):
        store.find(PLACE, SEALED)


def test_threads_get_one_key(folder: Path) -> None:
    found: list[bytes] = []

    def ask() -> None:
        found.append(reopen(folder).obtain(PLACE).secret)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_erasure_has_one_byte_form() -> None:
    data = ERASURE.to_bytes()
    assert data == (
        b'{"commitment":"' + str(ERASURE.commitment).encode() + b'","erased_at":1700000000,'
        b'"format":"fednet-erasure/1","grounds":"' + str(ERASURE.grounds).encode() + b'"}'
    )
    assert Erasure.from_bytes(data, "erasure") == ERASURE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"erasure/1", b"erasure/2"),
        (b"1700000000", b"-1"),
        (b"1700000000", b"true"),
        (b"1700000000", b'"now"'),
        (b"1700000000", b"99999999999999"),
        (b'"grounds"', b'"ground"'),
        (str(ERASURE.grounds).encode(), b"none"),
        (str(ERASURE.grounds).encode(), b"0x" + str(ERASURE.grounds).encode()),
        (str(ERASURE.grounds).encode(), str(ERASURE.grounds).upper().encode()),
        (b"{", b"{ "),
        (b"}", b',"note":"' + b"x" * 1_024 + b'"}'),
    ],
)
def test_erasure_in_another_form_is_refused(old: bytes, new: bytes) -> None:
    data = ERASURE.to_bytes().replace(old, new)
    assert data != ERASURE.to_bytes()
    with pytest.raises(MalformedBlobError) as caught:
        Erasure.from_bytes(data, "erasure")
    assert caught.value.subject == "erasure"
