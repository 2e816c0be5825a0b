"""Keys on disk: Web3 Secret Storage, version 3, encrypted under a password.

A password comes from a prompt or a file, never from an argument list. Nothing
here prints or logs a key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address
from fednet.errors import SettingsError
from fednet.ledger.codec import to_address
from fednet.ledger.deployment import write_whole

PASSWORD_FILE_VARIABLE = "FEDNET_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_LIGHT_ROUNDS = 1 << 12
"""As in geth's --lightkdf."""
_MAX_SIZE_BYTES = 1 << 16


def create(path: Path, password: str, *, light: bool = False) -> LocalAccount:
    """Make a new key and its keystore.

    Args:
        light: Open in no time, with little to protect a guessable password; only
            for passwords that a machine made at random.

    Raises:
        SettingsError: There is a file already, or it cannot be written.
    """
    return _store(path, new_account(), password, light)


def import_key(path: Path, key: str, password: str, *, light: bool = False) -> LocalAccount:
    """Make a keystore of a private key in hexadecimal.

    Raises:
        SettingsError: It is not a private key, or the file exists or cannot be written.
    """
    return _store(path, account_of(key), password, light)


def account_of(key: str) -> LocalAccount:
    """Return the account of a private key in hexadecimal, kept in memory alone.

    Raises:
        SettingsError: It is not a private key.
    """
    try:
        account: LocalAccount = Account.from_key(key.strip())
    except Exception:
        # The cause would quote the key.
        raise SettingsError(
            "not a private key",
            expected="64 hexadecimal digits",
            hint="the first line is the key and nothing else; a keystore file is taken as it is",
        ) from None
    return account


def new_account() -> LocalAccount:
    """Make an account that is kept in memory alone."""
    account: LocalAccount = Account.create()
    return account


def copy_keystore(source: Path, path: Path) -> Address:
    """Take over a keystore as it is, with the password it has."""
    raw = _read(source)
    _require_new(path)
    write_whole(path, json.dumps(raw).encode(), mode=0o600)
    return _address(raw, source)


def unlock(path: Path, password: str) -> LocalAccount:
    """Decrypt a keystore.

    Raises:
        SettingsError: It is none, or the password is another.
    """
    raw = _read(path)
    named = _address(raw, path)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(raw, password))
    except (ValueError, TypeError, KeyError) as exc:
        if "MAC" in str(exc):
            raise SettingsError(
                "the password is wrong", subject=str(path),
                hint=f"give the right one, or its file in {PASSWORD_FILE_VARIABLE}",
            ) from None  # fmt: skip
        raise _no_keystore(path, "its contents cannot be decrypted") from None
    if Address(account.address) != named:
        raise _no_keystore(path, f"it holds the key of {account.address}, not of {named}")
    return account


def address_of(path: Path) -> Address:
    """Return the account of a keystore, without its password."""
    return _address(_read(path), path)


def list_keystores(directory: Path) -> list[tuple[Path, Address]]:
    """List the keystores of a directory, by name; other files are passed over."""
    found = []
    for path in sorted(directory.glob("*.json")) if directory.is_dir() else ():
        try:
            found.append((path, address_of(path)))
        except SettingsError:
            continue
    return found


def find_password(prompt: Callable[[], str], file: Path | None = None) -> str:
    """Return the password from a file, from the file the environment names, or by asking.

    Raises:
        SettingsError: The file cannot be read, or the password is empty.
    """
    named = os.environ.get(PASSWORD_FILE_VARIABLE)
    chosen = file or (Path(named) if named else None)
    if chosen is None:
        password = prompt()
    else:
        try:
            password = chosen.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(
                "the password file cannot be read", subject=str(chosen), actual=str(exc)
            ) from exc
    if not password:
        raise SettingsError("the password is empty", subject=str(chosen or "password"))
    return password


def _store(path: Path, account: LocalAccount, password: str, light: bool) -> LocalAccount:
    _require_new(path)
    settings: dict[str, Any] = {"kdf": "scrypt"}
    if light:
        settings["iterations"] = _LIGHT_ROUNDS
    raw = Account.encrypt(account.key, password, **settings)
    write_whole(path, json.dumps(raw).encode(), mode=0o600)
    return account


def _require_new(path: Path) -> None:
    if path.exists():
        raise SettingsError(
            "there is a keystore already", subject=str(path), hint="choose another name"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_SIZE_BYTES:
            raise _no_keystore(path, "it is too large")
        raw = json.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise SettingsError(
            "the keystore cannot be read", subject=str(path), actual=exc.strerror,
            hint="make one with `fednet keys new`",
        ) from exc  # fmt: skip
    except ValueError as exc:
        raise _no_keystore(path, "it is not JSON") from exc
    sound = isinstance(raw, dict) and raw.get("version") == 3 and "address" in raw
    if not sound or not isinstance(raw.get("crypto", raw.get("Crypto")), dict):
        raise _no_keystore(path, "fields are missing")
    return dict(raw)


def _address(raw: dict[str, Any], path: Path) -> Address:
    text = str(raw["address"]).removeprefix("0x")
    try:
        bytes.fromhex(text)
        return to_address("0x" + text)
    except ValueError:
        raise _no_keystore(path, "its address is none") from None


def _no_keystore(path: Path, why: str) -> SettingsError:
    return SettingsError(
        "not a keystore", subject=str(path), actual=why,
        expected="a Web3 keystore, version 3", hint="import the key with `fednet keys import`",
    )  # fmt: skip
