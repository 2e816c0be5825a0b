"""`fednet run`: open, consent, withdraw, status, watch, model, abort, list."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import (
    home,
    listings,
    opening,
    output,
    plans,
    queries,
    rounds_view,
    watching,
    wiring,
)
from fednet.cli.app import (
    App,
    Signer,
    account_options,
    confirm,
    example,
    json_option,
    pass_app,
    yes_option,
)
from fednet.cli.measuring import Records
from fednet.domain.identity import Commitment


@click.group(
    epilog=example(
        "as a researcher, then as a site, then as anybody",
        "fednet run open pilot.toml",
        "fednet run consent 1",
        "fednet run watch 1",
    )
)
def run() -> None:
    """Runs: open, consent, follow, end."""


@run.command("open")
@click.argument("file", metavar="PLAN", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", type=click.Path(path_type=Path, dir_okay=False), help="Initial model.")
@account_options
@pass_app
def open_run(
    app: App, file: Path, model: Path | None, account: str | None, password_file: Path | None
) -> None:
    """Publish PLAN and its initial model, and open a run under it."""
    read = plans.read(file, model)
    plans.check(read)
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    with output.working("publishing plan and model"), wiring.store(app) as store:
        number = opening.open_run(reader, writer, store, read)
    click.echo(f"run {number} is open; sites consent with: fednet run consent {number}")
    wiring.remark_if_store_stops(app)


@run.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--grant", type=int, help="Grant to consent under; default the latest live one.")
@yes_option
@account_options
@pass_app
def consent(
    app: App,
    number: int,
    grant: int | None,
    yes: bool,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Consent to RUN, after checking its plan and showing what it asks."""
    reader = wiring.reader(app)
    writer = wiring.writer(app, Signer(account, password_file))
    site = queries.own_site(reader, writer.address)
    wanted = queries.require_run(reader, number)
    with output.working("fetching the plan"), wiring.store(app) as store:
        offer = opening.examine(app, reader, store, wanted, site, grant)
    output.say(opening.summary(offer))
    confirm(f"consent to run {number} under grant {offer.grant}?", yes)
    writer.consent(wanted, site, offer.grant)
    click.echo(f"site {site} consents to run {number} under grant {offer.grant}")
    output.say("next: fednet node run")


@run.command()
@click.argument("number", metavar="RUN", type=int)
@account_options
@pass_app
def withdraw(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Withdraw the site's consent to RUN, from this moment on."""
    reader = wiring.reader(app)
    writer = wiring.writer(app, Signer(account, password_file))
    wanted = queries.require_run(reader, number)
    site = queries.own_site(reader, writer.address)
    writer.withdraw(wanted, site)
    click.echo(f"site {site} no longer consents to run {number}")


@run.command()
@click.argument("number", metavar="RUN", type=int)
@json_option
@pass_app
def status(app: App, number: int, as_json: bool) -> None:
    """Show where RUN stands: phase, deadline, who did what."""
    reader = wiring.reader(app)
    wanted = queries.require_run(reader, number)
    view = watching.look(reader, wanted, Records(app, reader, wanted))
    if as_json:
        output.emit_json(watching.to_json(view))
        return
    output.emit_fields(watching.fields(view))
    output.emit(rounds_view.table_of(view.rows, ""))


@run.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@pass_app
def watch(app: App, number: int, as_json: bool) -> None:
    """Follow RUN until it ends: a live table, or lines when not on a terminal.

    Ends with 0 if the run completed, with 1 if it was aborted.
    """
    reader = wiring.reader(app)
    wanted = queries.require_run(reader, number)
    completed = watching.watch(
        reader, wanted, app.settings().node.poll_seconds, as_json,
        Records(app, reader, wanted),
    )  # fmt: skip
    raise SystemExit(0 if completed else 1)


@run.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--output", "target", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--cluster", type=click.IntRange(0), help="Whose model, where a run has clusters.")
@pass_app
def model(app: App, number: int, target: Path, cluster: int | None) -> None:
    """Write the global model of RUN's latest final round to a safetensors file."""
    reader = wiring.reader(app)
    wanted = queries.require_run(reader, number)
    with output.working("fetching the model"), wiring.store(app) as store:
        found = opening.final_model(app, reader, store, wanted, cluster)
    home.write_new(target, found.data)
    click.echo(f"wrote {target}: round {found.final.round}, sha256 {Commitment.of(found.data)}")


@run.command()
@click.argument("number", metavar="RUN", type=int)
@yes_option
@account_options
@pass_app
def abort(
    app: App, number: int, yes: bool, account: str | None, password_file: Path | None
) -> None:
    """End RUN early; final rounds and their credits stand."""
    wanted = queries.require_run(wiring.reader(app), number)
    confirm(f"abort run {number}?", yes)
    wiring.writer(app, Signer(account, password_file)).abort(wanted)
    click.echo(f"run {number} aborted")


@run.command("list")
@json_option
@pass_app
def list_runs(app: App, as_json: bool) -> None:
    """List every run and where it stands."""
    listings.runs(app, as_json)
