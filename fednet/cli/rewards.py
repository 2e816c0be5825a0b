"""`fednet rewards`: show what was earned, claim it."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import claiming, output, queries, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app


@click.group(
    epilog=example(
        "as a site",
        "fednet rewards show 1",
        "fednet rewards claim 1",
    )
)
def rewards() -> None:
    """Credits: what final rounds granted, and claiming it."""


@rewards.command()
@click.argument("number", metavar="RUN", type=int)
@json_option
@pass_app
def show(app: App, number: int, as_json: bool) -> None:
    """Show what each site earned, claimed and holds in RUN."""
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    with wiring.store(app) as store:
        found = claiming.accounts(app, reader, store, run)
    output.emit_list(
        found, as_json, "credits", ("site", "name", "earned", "claimed", "balance"),
        lambda a: (a.site, a.name, a.earned, a.claimed, a.balance),
    )  # fmt: skip


@rewards.command()
@click.argument("number", metavar="RUN", type=int)
@account_options
@pass_app
def claim(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Claim everything this site earned in RUN, up to the latest final round."""
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    writer = wiring.writer(app, Signer(account, password_file))
    site = queries.own_site(reader, writer.address)
    with wiring.store(app) as store:
        amount = claiming.claim(app, reader, writer, store, run, site)
    click.echo(f"site {site} claimed {amount} credits of run {number}")
