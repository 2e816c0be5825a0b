"""A site's encryption keys: made once, rotated without losing any, and destroyed when told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from fednet.errors import SettingsError
from fednet.privacy.sealing import EncryptionKeys

PASSWORD = b"correct horse"


@pytest.fixture
def keys(tmp_path: Path) -> EncryptionKeys:
    return EncryptionKeys(tmp_path, PASSWORD)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def announced(keys: EncryptionKeys) -> bytes:
    said: list[bytes] = []
    keys.rotate(said.append)
    (public,) = said
    return public


def test_first_call_makes_the_pair(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    public = EncryptionKeys(folder, PASSWORD).public_key()
    assert len(public) == 32
    assert EncryptionKeys(folder, PASSWORD).public_key() == public
    assert names(folder) == ["encryption.pem"]
    assert (folder / "encryption.pem").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in (folder / "encryption.pem").read_bytes()


def test_rotation_keeps_what_was_before(tmp_path: Path, keys: EncryptionKeys) -> None:
    all_keys = [keys.public_key(), announced(keys), announced(keys)]
    assert len(set(all_keys)) == 3
    assert keys.public_key() == all_keys[-1]
    assert names(tmp_path) == ["encryption-1.pem", "encryption-2.pem", "encryption.pem"]
    for public in all_keys:
        assert keys.holding(public).public_key().public_bytes_raw() == public


def test_rotation_that_is_not_announced_changes_nothing(keys: EncryptionKeys) -> None:
    before = keys.public_key()
    said: list[bytes] = []

    def refuse(public: bytes) -> None:
        said.append(public)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keys.rotate(refuse)
    assert keys.public_key() == before
    assert keys.holding(said[0])  # it may have been heard all the same
    assert announced(keys) == said[0]
    assert keys.public_key() == said[0]


def test_numbers_are_not_given_twice(tmp_path: Path, keys: EncryptionKeys) -> None:
    first, second = keys.public_key(), announced(keys)
    announced(keys)
    (tmp_path / "encryption-1.pem").unlink()
    announced(keys)
    assert names(tmp_path) == ["encryption-2.pem", "encryption-3.pem", "encryption.pem"]
    assert keys.holding(second)
    with pytest.raises(SettingsError):
        keys.holding(first)


def test_earlier_pairs_are_destroyed(tmp_path: Path, keys: EncryptionKeys) -> None:
    first = keys.public_key()
    second = announced(keys)
    assert keys.destroy_earlier() == 1
    assert names(tmp_path) == ["encryption.pem"]
    assert keys.public_key() == second
    with pytest.raises(SettingsError) as caught:
        keys.holding(first)
    assert caught.value.expected == first.hex()
    assert keys.destroy_earlier() == 0


def test_another_password_opens_nothing(tmp_path: Path, keys: EncryptionKeys) -> None:
    keys.public_key()
    with pytest.raises(SettingsError) as caught:
        EncryptionKeys(tmp_path, b"battery staple").public_key()
    assert caught.value.subject == str(tmp_path / "encryption.pem")


def test_key_of_another_kind_is_refused(tmp_path: Path, keys: EncryptionKeys) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD)
    )
    (tmp_path / "encryption.pem").write_bytes(pem)
    with pytest.raises(SettingsError) as caught:
        keys.public_key()
    assert caught.value.message == "not an X25519 key"


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError) as caught:
        EncryptionKeys(tmp_path / "file" / "keys", PASSWORD).public_key()
    assert caught.value.subject.endswith("keys")
