"""`fednet store`: this home's blob store outside a running node."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from fednet.cli import output, rekeying, serving, sweeping, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app


@click.group(
    epilog=example(
        "",
        "fednet store start --listen /ip4/0.0.0.0/tcp/4001",
        "fednet store status",
    )
)
def store() -> None:
    """The blob store: serve plans, models and updates to members.

    A node runs its own store. An operator or a researcher without a node
    keeps one running with this, as a hub that members dial.
    """


_listen = click.option("--listen", help="Multiaddress to listen on; kept in the settings.")


@store.command()
@_listen
@pass_app
def run(app: App, listen: str | None) -> None:
    """Serve in the foreground until Ctrl-C, mirroring what the ledger names."""
    serving.choose_listen(app, listen)
    serving.serve(app)


@store.command()
@_listen
@pass_app
def start(app: App, listen: str | None) -> None:
    """Serve in the background; again after a stop."""
    serving.choose_listen(app, listen)
    with output.working("starting the store"):
        address = serving.start(app)
    click.echo(f"the store answers at {address or 'no address: it only dials out'}")


@store.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show the store's address and its peers; ends with 6 if it does not run."""
    with wiring.running_store(app) as found:
        fields = {"address": found.address(), "peers": found.peers()}
    if as_json:
        output.emit_json(fields)
        return
    output.emit_fields({"address": fields["address"], "peers": len(fields["peers"])})
    for peer in fields["peers"]:
        click.echo(f"  {peer}")


@store.command()
@json_option
@pass_app
def sweep(app: App, as_json: bool) -> None:
    """Let go of updates that members erased, by the ledger's records.

    Removes their bytes from this home and its store, and destroys the keys that
    sealed ones were opened with. A running node or hub does it by itself, once
    a record is there; this looks again for all that was ever erased. Updates of a
    live run's last two rounds stay until it has gone on.
    """
    reader = wiring.reader(app)
    with wiring.store(app) as found, output.working("sweeping"):
        swept = list(sweeping.sweep(app, reader, found))
    if as_json:
        output.emit_json([asdict(each) for each in swept])
        return
    for each in swept:
        click.echo(
            f"run {each.run}: of dataset {each.dataset}, erased by site {each.site},"
            f" {each.removed} updates are gone from here, {each.absent} were not to be had"
        )
        if each.in_use:
            output.say(f"{each.in_use} are of the last rounds of a run that goes on: sweep later")
        if each.shared:
            output.say(f"{each.shared} stay: another site submitted the same commitment")
    if not swept:
        click.echo("no member has erased anything")


@store.command()
@pass_app
def stop(app: App) -> None:
    """Stop the store that `store start` started; its blobs stay."""
    click.echo("stopped" if serving.stop(app) else "was not running")


@store.command()
@click.argument("letter", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def rekey(app: App, letter: Path, account: str | None, password_file: Path | None) -> None:
    """Draw a new key for the private swarm, and write it to members: LETTER.

    As an operator, after a site was revoked: it cannot dial the stores any more.
    Each active site finds the key under its registered encryption key, so that the
    file may travel any way. New invitations bring the new key.
    """
    count = rekeying.rekey(app, letter, Signer(account, password_file))
    click.echo(f"wrote {letter}: a new key for {count} sites")
    output.say("next: send it to them, start this store again, and they `fednet store accept` it")


@store.command()
@click.argument("letter", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def accept(app: App, letter: Path, account: str | None, password_file: Path | None) -> None:
    """Use the swarm's new key, from the LETTER that an operator wrote."""
    rekeying.accept(app, letter, Signer(account, password_file))
    click.echo("the swarm's new key is here; start the node again")
