"""`fednet homomorphic`: the one key that the sites of a run share, made, handed on, taken."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import applying, home, output, shared_keys, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app
from fednet.domain.identity import SiteId


@click.group(
    epilog=example(
        "one site makes the key, another takes it",
        "fednet homomorphic new-key",
        "fednet homomorphic give KEY 2 --output for-site-2",
        "fednet homomorphic take for-site-2",
    )
)
def homomorphic() -> None:
    """Encrypted updates: the secret key that all sites of a run share.

    Whoever holds it and reads the ciphertext of a single update reads that
    update. Never give it to an aggregator that the plan names.
    """


@homomorphic.command("new-key")
@pass_app
def new_key(app: App) -> None:
    """Draw a key, keep it in this home, and print the identity that the plan names."""
    home.make(app)
    click.echo(str(shared_keys.make(app)))


@homomorphic.command("list")
@json_option
@pass_app
def list_keys(app: App, as_json: bool) -> None:
    """List the identities of the keys in this home; opens none."""
    found = shared_keys.identities(app)
    output.emit_list(found, as_json, "keys", ("key",), lambda each: (each,))


@homomorphic.command()
@click.argument("key", metavar="KEY")
@click.argument("number", metavar="SITE", type=int)
@click.option(
    "--output", "-o", "target", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="File for the sealed key.",
)  # fmt: skip
@pass_app
def give(app: App, key: str, number: int, target: Path) -> None:
    """Seal KEY for SITE, which takes the file; nobody else can open it."""
    reader, site = wiring.reader(app), SiteId(number)
    home.write_new(target, shared_keys.give(app, reader, key, site))
    click.echo(f"wrote {target}, for site {site} alone; make sure that it is in the run")


@homomorphic.command()
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@account_options
@pass_app
def take(app: App, file: Path, account: str | None, password_file: Path | None) -> None:
    """Open the key in FILE with this site's encryption key, and keep it in this home."""
    reader = wiring.reader(app)
    pairs = applying.encryption_keys(app, Signer(account, password_file))
    click.echo(str(shared_keys.take(app, reader, pairs, file)))
