"""The files of a home directory that are not settings: keystores' names, deployment, swarm key."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import Any

from fednet.cli import settings
from fednet.cli.app import App
from fednet.errors import SettingsError

KEYSTORES = "keystores"
_SWARM_KEY_SIZE_BYTES = 32
_SWARM_KEY_HEAD = "/key/swarm/psk/1.0.0/\n/base16/\n"
_ANOTHER_DEPLOYMENT = "copy deployment.json again from the operator's home, or from a backup"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def make(app: App) -> None:
    """Make the home and its folder of keystores if they are not there, for their owner only.

    Raises:
        SettingsError: The disk does not take it.
    """
    try:
        settings.make_private(app.home / KEYSTORES)
    except OSError as exc:
        raise SettingsError(
            "the home cannot be made",
            subject=str(app.home),
            actual=exc.strerror,
            hint="name one that you may write to: --home DIRECTORY or FEDNET_HOME",
        ) from exc


def keystore_path(app: App, name: str) -> Path:
    """Find the file of a keystore, given by name or by path."""
    if _NAME.fullmatch(name) and not name.endswith(".json"):
        return app.home / KEYSTORES / f"{name}.json"
    return app.path(name)


def chosen_keystore(app: App, account: str | None) -> Path:
    """Find the keystore that acts: the one named, else the settings'.

    Raises:
        SettingsError: None is named, or it does not exist.
    """
    name = account or app.settings().account.keystore
    if not name:
        raise SettingsError(
            "no account to act with",
            hint="`fednet chain start` makes an operator's, `fednet node join INVITATION` a site's,"
            " `fednet keys new NAME` any; or give --account NAME",
        )
    path = keystore_path(app, name)
    if not path.is_file():
        raise SettingsError(
            "no such keystore",
            subject=str(path),
            hint="`fednet keys list` shows the keystores of this home",
        )
    return path


def new_keystore_path(app: App, name: str) -> Path:
    """Name the file of a keystore that is about to be made.

    Raises:
        SettingsError: The name is impossible, or taken.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            "impossible name",
            subject=name,
            expected="letters, digits, dots, dashes; at most 64",
            hint="choose another name; it is for you alone",
        )
    path = app.home / KEYSTORES / f"{name}.json"
    if path.exists():
        raise SettingsError("is there already", subject=str(path), hint="choose another name")
    return path


def use_if_first(app: App, name: str) -> None:
    """Name a keystore in the settings if none is named yet."""
    if not settings.read_raw(app.home).get("account", {}).get("keystore"):
        app.update({"account": {"keystore": name}})


def read_deployment(app: App) -> dict[str, Any]:
    """Read the deployment file as plain values.

    Raises:
        SettingsError: Missing, or no deployment.
    """
    require_deployment(app)
    path = app.path(app.settings().chain.deployment)
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(
            "cannot read the deployment file", subject=str(path), hint=_ANOTHER_DEPLOYMENT
        ) from exc
    if not isinstance(raw, dict):
        raise SettingsError("not a deployment file", subject=str(path), hint=_ANOTHER_DEPLOYMENT)
    return raw


def require_deployment(app: App) -> None:
    """Tell a person how to come by a deployment file.

    Raises:
        SettingsError: There is none.
    """
    path = app.path(app.settings().chain.deployment)
    if not path.exists():
        raise SettingsError(
            "no deployment file",
            subject=str(path),
            hint="a site starts with `fednet node join INVITATION`, an operator with"
            " `fednet chain start` and `fednet deploy`; --home or FEDNET_HOME names another home",
        )


def write_deployment(app: App, raw: dict[str, Any]) -> None:
    """Write the deployment file."""
    path = app.path(app.settings().chain.deployment)
    text = json.dumps(raw, indent=2, sort_keys=True) + "\n"
    settings.write_durably(path, text.encode("utf-8"), private=False)


def require_not_deployed(app: App) -> None:
    """Refuse to lose a deployment by writing another over it.

    Raises:
        SettingsError: There is one.
    """
    path = app.path(app.settings().chain.deployment)
    if path.exists():
        raise SettingsError(
            "there is a deployment already",
            subject=str(path),
            hint="use another --home for another consortium, or move the file away",
        )


def swarm_key(app: App) -> bytes:
    """Read the private swarm's key; Kubo's own file format.

    Raises:
        SettingsError: Missing, or no swarm key.
    """
    path = app.path(app.settings().store.swarm_key)
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            "no swarm key",
            subject=str(path),
            hint="a site gets it by `fednet node join INVITATION`, an operator by `fednet deploy`",
        ) from exc
    try:
        key = bytes.fromhex(text.split("\n")[2]) if text.startswith(_SWARM_KEY_HEAD) else b""
    except (ValueError, IndexError):
        key = b""
    if len(key) != _SWARM_KEY_SIZE_BYTES:
        raise SettingsError(
            "not a swarm key",
            subject=str(path),
            hint="copy the operator's file swarm.key again; all members have the same",
        )
    return key


def write_swarm_key(app: App, key: bytes) -> None:
    """Write the private swarm's key, for the owner only."""
    path = app.path(app.settings().store.swarm_key)
    settings.write_durably(path, f"{_SWARM_KEY_HEAD}{key.hex()}\n".encode("ascii"), private=True)


def ensure_swarm_key(app: App) -> None:
    """Draw a swarm key unless there is one."""
    if not app.path(app.settings().store.swarm_key).exists():
        write_swarm_key(app, secrets.token_bytes(_SWARM_KEY_SIZE_BYTES))


def write_new(path: Path, data: bytes) -> None:
    """Write a result where no file is yet.

    Raises:
        SettingsError: There is one, or the disk does not take it.
    """
    try:
        with path.open("xb") as stream:
            stream.write(data)
    except OSError as exc:
        raise SettingsError(
            "cannot write", subject=str(path), actual=exc.strerror, hint="choose another name"
        ) from exc
