"""Granted keys and keyrings: what an auditor opens, and what it is told of the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain.identity import Address, Commitment, RunId, SiteId
from fednet.errors import ErasedError, SealedError, SettingsError, UnsealingError
from fednet.privacy.sealing import (
    ContentKey,
    Erasure,
    GrantPlace,
    Keyring,
    OpenedBlobs,
    SealedBlob,
    hpke,
    read_grant,
    seal,
    write_grant,
)
from fednet.privacy.sealing import grants as grants_module
from tests.unit.privacy.sealing.members import KEY, MEMBERS, PLACE, member

GRANT = GrantPlace(1337, Address("0x" + "Ab" * 20), RunId(4), SiteId(9))
AUDITOR = member(100)
KEYS = {Commitment.of(bytes([n])): ContentKey(bytes([n]) * 32) for n in range(5)}
DATA = write_grant(KEYS, GRANT, AUDITOR.public_key)


def test_granted_keys_come_back() -> None:
    assert read_grant(DATA, GRANT, AUDITOR.private) == KEYS
    assert len(DATA) == 48 + 64 * len(KEYS)


def test_grant_never_repeats_its_randomness() -> None:
    assert write_grant(KEYS, GRANT, AUDITOR.public_key)[:32] != DATA[:32]


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_grant_with_any_byte_changed_is_refused(at: int, change: int) -> None:
    altered = bytearray(DATA)
    altered[at] ^= change
    with pytest.raises(UnsealingError):
        read_grant(bytes(altered), GRANT, AUDITOR.private)


@pytest.mark.parametrize("size", [0, 47, 48, 111, len(DATA) - 64, len(DATA) - 1, len(DATA) + 64])
def test_grant_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UnsealingError):
        read_grant((DATA + bytes(64))[:size], GRANT, AUDITOR.private)


@pytest.mark.parametrize(
    "place",
    [
        replace(GRANT, chain_id=1),
        replace(GRANT, contract=Address("0x" + "Cd" * 20)),
        replace(GRANT, run=RunId(5)),
        replace(GRANT, site=SiteId(10)),
    ],
    ids=str,
)
def test_grant_belongs_to_its_record(place: GrantPlace) -> None:
    with pytest.raises(UnsealingError) as caught:
        read_grant(DATA, place, AUDITOR.private)
    assert caught.value.subject == str(place)


def test_grant_opens_for_its_reader_only() -> None:
    with pytest.raises(UnsealingError):
        read_grant(DATA, GRANT, member(101).private)


@pytest.mark.parametrize("order", [[1, 0], [0, 0]], ids=["unsorted", "twice"])
def test_grant_has_one_order(order: list[int]) -> None:
    pairs = sorted(KEYS.items())
    entries = b"".join(pairs[at][0] + pairs[at][1].secret for at in order)
    ephemeral = X25519PrivateKey.generate()
    sealed = hpke.seal(ephemeral, AUDITOR.public_key, GRANT.bind(), entries)
    with pytest.raises(UnsealingError) as caught:
        read_grant(ephemeral.public_key().public_bytes_raw() + sealed, GRANT, AUDITOR.private)
    assert "not sorted" in caught.value.message


def test_grant_of_nothing_or_for_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        write_grant({}, GRANT, AUDITOR.public_key)
    assert caught.value.actual == 0
    with pytest.raises(SettingsError) as caught:
        write_grant(KEYS, GRANT, bytes(32))
    assert caught.value.actual == "00" * 32
    monkeypatch.setattr(grants_module, "MOST_ENTRIES", 4)
    with pytest.raises(SettingsError) as caught:
        write_grant(KEYS, GRANT, AUDITOR.public_key)
    assert caught.value.actual == 5
    with pytest.raises(UnsealingError):
        read_grant(DATA, GRANT, AUDITOR.private)


@pytest.fixture
def blob(tmp_path: Path) -> SealedBlob:
    (tmp_path / "clear").write_bytes(b"an update")
    written = seal(tmp_path / "clear", tmp_path / "sealed", KEY, PLACE, MEMBERS)
    return SealedBlob(tmp_path / "sealed", written.commitment, PLACE, MEMBERS)


def test_auditor_opens_with_what_was_granted(tmp_path: Path, blob: SealedBlob) -> None:
    with pytest.raises(SealedError) as caught:
        Keyring({}).key_of(blob)
    assert (caught.value.commitment, caught.value.exit_code) == (blob.commitment, 9)
    assert caught.value.subject == str(PLACE)
    assert not isinstance(caught.value, ErasedError)

    data = write_grant({blob.commitment: KEY}, GRANT, AUDITOR.public_key)
    keyring = Keyring(read_grant(data, GRANT, AUDITOR.private))
    opened = OpenedBlobs(tmp_path / "opened", keyring).open(blob)
    assert opened.read_bytes() == b"an update"


def test_false_key_in_a_grant_is_found_out(tmp_path: Path, blob: SealedBlob) -> None:
    data = write_grant({blob.commitment: ContentKey(bytes(32))}, GRANT, AUDITOR.public_key)
    keyring = Keyring(read_grant(data, GRANT, AUDITOR.private))
    with pytest.raises(UnsealingError):
        OpenedBlobs(tmp_path / "opened", keyring).open(blob)
    assert list((tmp_path / "opened").iterdir()) == []


def test_erased_key_is_not_handed_out(blob: SealedBlob) -> None:
    erasure = Erasure(blob.commitment, Commitment.of(b"withdrawal"), 1_700_000_000)
    with pytest.raises(ErasedError) as caught:
        Keyring({blob.commitment: KEY}, [erasure]).key_of(blob)
    error = caught.value
    assert (error.commitment, error.grounds) == (blob.commitment, Commitment.of(b"withdrawal"))
    assert (error.erased_at, error.exit_code) == (1_700_000_000, 9)
