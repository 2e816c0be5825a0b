"""`fednet deploy`: put the contracts on a chain and say where they are."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import home, output, wiring
from fednet.cli.app import App, Signer, account_options, example, pass_app


@click.command(
    epilog=example(
        "",
        "fednet deploy --account operator",
    )
)
@account_options
@pass_app
def deploy(app: App, account: str | None, password_file: Path | None) -> None:
    """Deploy the contracts to the chain in the settings.

    The account becomes the operator, and may also open runs. Writes the
    deployment file, and the key of a new private swarm.
    """
    home.require_not_deployed(app)
    signer = Signer(account, password_file)
    home.chosen_keystore(app, account)
    with output.working("deploying the contracts"):
        deployment = wiring.deploy(app, signer)
    home.ensure_swarm_key(app)
    path = app.path(app.settings().chain.deployment)
    click.echo(f"deployed at block {deployment.block} of chain {deployment.chain_id}: {path}")
    output.say("next: fednet store start, then fednet site invite FILE")
