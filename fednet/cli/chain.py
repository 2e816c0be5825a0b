"""`fednet chain`: a chain on this machine, for trying and for small consortia."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import local_chain, output
from fednet.cli.app import App, Signer, example, json_option, pass_app

_ENGINES = ("ganache", "anvil")


@click.group(
    epilog=example(
        "as the operator",
        "fednet chain start",
        "fednet deploy",
    )
)
def chain() -> None:
    """A chain on this machine: start, status, stop.

    Any other chain is used by its address: set chain.url in fednet.toml.
    """


@chain.command()
@click.option("--engine", type=click.Choice(_ENGINES), default="ganache", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8545, show_default=True,
              help="0 takes any free one.")  # fmt: skip
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="FEDNET_PASSWORD_FILE",
    help="Password of the operator's keystore, made at the first start.",
)
@pass_app
def start(app: App, engine: str, port: int, password_file: Path | None) -> None:
    """Start a chain that keeps its state in HOME/chain; again after a stop."""
    signer = Signer(local_chain.OPERATOR, password_file)
    with output.working(f"starting {engine}"):
        url, address = local_chain.start(app, engine, port, signer)
    click.echo(f"{engine} answers at {url}")
    if address is not None:
        click.echo(f"operator's account {address}")
    if not app.path(app.settings().chain.deployment).exists():
        output.say("next: fednet deploy")


@chain.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Tell whether the chain in the settings answers, and how far it is.

    Ends with 5 if it does not answer.
    """
    found = local_chain.status(app)
    output.emit_values(found, as_json)


@chain.command()
@pass_app
def stop(app: App) -> None:
    """Stop the chain that `chain start` started; its state stays."""
    click.echo("stopped" if local_chain.stop(app) else "was not running")
