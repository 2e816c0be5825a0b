"""What every command starts from: the home directory, and the shared options.

Holds no adapter and makes no call; see ``wiring`` for those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from fednet.cli import settings as files
from fednet.cli.settings import Settings
from fednet.errors import FednetError, SettingsError

_FIRST_LINE = "name a text file that you may read and whose first line is the secret"
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class App:
    """Name the home directory that a command works in."""

    home: Path
    verbose: bool = False

    def settings(self) -> Settings:
        """Read the settings in force now."""
        return files.load(self.home, os.environ)

    def update(self, values: Mapping[str, Mapping[str, object]]) -> None:
        """Write settings to the home's file."""
        files.update(self.home, values)

    def path(self, name: str) -> Path:
        """Resolve a path of the settings, which is relative to the home."""
        return self.home / Path(name).expanduser()


@dataclass(slots=True)
class Signer:
    """Say which keystore acts, and where its password comes from; asks at most once."""

    account: str | None
    password_file: Path | None
    _password: str | None = None

    def password(self, app: App, *, new: bool = False) -> str:
        """Take the password from its file, or ask for it on a terminal.

        Args:
            app: Where the settings are.
            new: Ask twice, because a keystore is about to be made.

        Raises:
            SettingsError: No file, and nobody to ask.
        """
        if self._password is None:
            self._password = _read_password(app, self.password_file, new)
        return self._password


pass_app = click.make_pass_decorator(App)


def example(who: str, *lines: str) -> str:
    """Write the example that ends a group's help, kept as it is broken into lines."""
    title = f"Example, {who}:" if who else "Example:"
    return "\n".join(("\b", title, *(f"  {line}" for line in lines)))


def json_option(command: _Command) -> _Command:
    """Add ``--json`` to a command that reads."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(command)


def yes_option(command: _Command) -> _Command:
    """Add ``--yes`` to a command that asks before it acts."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def account_options(command: _Command) -> _Command:
    """Add the options that name a keystore and its password's file."""
    command = click.option(
        "--password-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="FEDNET_PASSWORD_FILE",
        help="First line opens the keystore; also FEDNET_PASSWORD_FILE. Asked for if absent.",
    )(command)
    return click.option(
        "--account", help="Keystore to act with: a name in HOME/keystores, or a file."
    )(command)


def _read_password(app: App, path: Path | None, new: bool) -> str:
    stored = app.settings().account.password_file
    chosen = path or (app.path(stored) if stored else None)
    if chosen is not None:
        return read_first_line(chosen, "password file")
    what = "password of the new keystore" if new else "password of the keystore"
    return ask_secret(what, "--password-file FILE or FEDNET_PASSWORD_FILE", twice=new)


def ask_secret(what: str, instead: str, *, twice: bool = False) -> str:
    """Ask for a secret on a terminal, unseen.

    Args:
        what: What is asked for.
        instead: How to give it when nobody is here to ask.

    Raises:
        SettingsError: Standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise SettingsError(
            f"no {what}", hint=f"give {instead}; standard input is no terminal to ask at"
        )
    return str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


def read_first_line(path: Path, what: str) -> str:
    """Read a secret's file.

    Raises:
        SettingsError: It cannot be read, or is empty.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            f"cannot read the {what}", subject=str(path), actual=exc, hint=_FIRST_LINE
        ) from exc
    if not lines or not lines[0].strip():
        raise SettingsError(f"the {what} is empty", subject=str(path), hint=_FIRST_LINE)
    return lines[0].strip()


def read_text(text: str | None, path: Path | None, what: str, *, optional: bool = False) -> bytes:
    """Take a text from an option or from a file, as the bytes that are committed to.

    Raises:
        click.UsageError: Neither or both were given.
        SettingsError: The file cannot be read, or holds nothing.
    """
    if text is not None and path is not None:
        raise click.UsageError(f"give --{what} or --{what}-file, not both")
    if text is None and path is None:
        if optional:
            return b""
        raise click.UsageError(f"--{what} TEXT or --{what}-file FILE is needed")
    try:
        data = text.encode("utf-8") if text is not None else path.read_bytes() if path else b""
    except OSError as exc:
        raise SettingsError(
            f"cannot read the {what}", subject=str(path), actual=exc,
            hint=f"name another file, or give --{what} TEXT",
        ) from exc  # fmt: skip
    if not data.strip():
        raise SettingsError(
            f"the {what} is empty", subject=str(path or f"--{what}"),
            hint=f"write the {what} first; nothing was sent",
        )  # fmt: skip
    return data


def confirm(question: str, yes: bool) -> None:
    """Ask before an act that cannot be taken back.

    Raises:
        FednetError: Nobody is here to ask, and ``--yes`` was not given.
        click.Abort: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise FednetError("not confirmed", subject=question, hint="give --yes to go on unasked")
    click.confirm(question, abort=True, err=True)
