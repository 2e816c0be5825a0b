"""Keystores on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fednet.errors import SettingsError
from fednet.ledger import keystore

PASSWORD = "correct horse"
KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def test_created_key_unlocks_with_its_password(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "node.json"
    account = keystore.create(path, PASSWORD, light=True)
    assert keystore.unlock(path, PASSWORD).key == account.key
    assert keystore.address_of(path) == account.address
    assert path.stat().st_mode & 0o777 == 0o600
    assert account.key.hex() not in path.read_text("utf-8")


def test_standard_keystore_uses_strong_scrypt(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    keystore.import_key(path, KEY, PASSWORD)
    crypto = json.loads(path.read_text("utf-8"))["crypto"]
    assert crypto["kdf"] == "scrypt"
    assert crypto["kdfparams"]["n"] >= 1 << 17


def test_imported_key_keeps_its_address(tmp_path: Path) -> None:
    account = keystore.import_key(tmp_path / "a.json", f"{KEY}\n", PASSWORD, light=True)
    assert account.address == ADDRESS


def test_bad_key_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        keystore.import_key(tmp_path / "a.json", "0xnot-a-key", PASSWORD, light=True)
    assert "not-a-key" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_wrong_password_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    keystore.import_key(path, KEY, PASSWORD, light=True)
    with pytest.raises(SettingsError) as caught:
        keystore.unlock(path, "wrong")
    assert caught.value.message == "the password is wrong"
    assert keystore.PASSWORD_FILE_VARIABLE in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 3, "address": "zz"}',
        '{"version": 3, "address": "zz", "crypto": {}}',
        "\x00" * 70_000,
    ],
)
def test_other_file_is_not_a_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        keystore.unlock(path, PASSWORD)
    assert caught.value.message == "not a keystore"
    assert keystore.list_keystores(tmp_path) == []


def test_keystore_with_another_s_address_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    keystore.import_key(path, KEY, PASSWORD, light=True)
    raw = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(raw | {"address": "22" * 20}), "utf-8")
    with pytest.raises(SettingsError) as caught:
        keystore.unlock(path, PASSWORD)
    assert caught.value.message == "not a keystore"


def test_existing_keystore_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    keystore.import_key(path, KEY, PASSWORD, light=True)
    for again in (
        lambda: keystore.create(path, PASSWORD, light=True),
        lambda: keystore.copy_keystore(path, path),
    ):
        with pytest.raises(SettingsError):
            again()
    assert keystore.address_of(path) == ADDRESS


def test_copied_keystore_keeps_its_password(tmp_path: Path) -> None:
    keystore.import_key(tmp_path / "a.json", KEY, PASSWORD, light=True)
    assert keystore.copy_keystore(tmp_path / "a.json", tmp_path / "b.json") == ADDRESS
    assert keystore.unlock(tmp_path / "b.json", PASSWORD).address == ADDRESS
    assert [path.name for path, _ in keystore.list_keystores(tmp_path)] == ["a.json", "b.json"]


def test_missing_keystore_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        keystore.address_of(tmp_path / "none.json")
    assert "fednet keys new" in caught.value.hint


def test_password_comes_from_file_environment_or_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(keystore.PASSWORD_FILE_VARIABLE, raising=False)
    assert keystore.find_password(lambda: "asked") == "asked"
    named = tmp_path / "named"
    named.write_text("from environment\nsecond line\n", "utf-8")
    monkeypatch.setenv(keystore.PASSWORD_FILE_VARIABLE, str(named))
    assert keystore.find_password(lambda: "asked") == "from environment"
    given = tmp_path / "given"
    given.write_text("from file\r\n", "utf-8")
    assert keystore.find_password(lambda: "asked", given) == "from file"


def test_empty_or_missing_password_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", "utf-8")
    for file in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(SettingsError):
            keystore.find_password(lambda: "asked", file)
