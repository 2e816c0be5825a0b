"""`fednet keys`: new, list, import. Keystores are encrypted; no key is ever printed."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import home, output, wiring
from fednet.cli.app import App, Signer, example, json_option, pass_app, read_first_line

_password_file = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="FEDNET_PASSWORD_FILE",
    help="First line is the password; also FEDNET_PASSWORD_FILE. Asked for if absent.",
)


@click.group(
    epilog=example(
        "",
        "fednet keys new researcher",
        "fednet keys list",
    )
)
def keys() -> None:
    """Keystores: the accounts this home can act with."""


@keys.command()
@click.argument("name")
@_password_file
@pass_app
def new(app: App, name: str, password_file: Path | None) -> None:
    """Make a keystore NAME, encrypted under a password."""
    path = home.new_keystore_path(app, name)
    password = Signer(name, password_file).password(app, new=True)
    address = wiring.create_keystore(app, path, password)
    home.use_if_first(app, name)
    click.echo(address)


@keys.command("import")
@click.argument("name")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File with the private key in hexadecimal, or with another Web3 keystore.",
)
@_password_file
@pass_app
def import_key(app: App, name: str, key_file: Path, password_file: Path | None) -> None:
    """Make a keystore NAME from a private key, or from a keystore file.

    A keystore file keeps its own password.
    """
    path = home.new_keystore_path(app, name)
    text = read_first_line(key_file, "key file")
    if text.startswith("{"):
        home.make(app)
        address = wiring.copy_keystore(key_file, path)
    else:
        password = Signer(name, password_file).password(app, new=True)
        address = wiring.create_keystore(app, path, password, key=text)
    home.use_if_first(app, name)
    click.echo(address)


@keys.command("list")
@json_option
@pass_app
def list_keys(app: App, as_json: bool) -> None:
    """List the keystores of this home; opens none."""
    found = wiring.keystores(app)
    columns = ("name", "account", "in use")
    output.emit_list(found, as_json, "keystores", columns, lambda e: (e.name, e.address, e.in_use))
