"""`fednet ledger`: what the chain says, without a key."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import (
    bundles,
    disclosures,
    indexing,
    lineage,
    listings,
    narrowing,
    output,
    queries,
    rounds_view,
    watching,
    wiring,
)
from fednet.cli.app import App, example, json_option, pass_app
from fednet.cli.later import LaterGroup
from fednet.cli.measuring import Records


@click.group(
    cls=LaterGroup,
    later={"prov": "exporting", "crate": "exporting"},
    epilog=example(
        "",
        "fednet ledger runs",
        "fednet ledger updates 1 --json",
    ),
)
def ledger() -> None:
    """What the chain says, for anybody; needs no key."""


@ledger.command()
@narrowing.options("site", "dataset")
@json_option
@pass_app
def runs(app: App, /, as_json: bool, **given: int | None) -> None:
    """List every run."""
    listings.runs(app, as_json, indexing.runs(app, narrowing.filters(given)))


@ledger.command()
@click.argument("number", metavar="RUN", type=int)
@narrowing.options()
@json_option
@pass_app
def rounds(app: App, /, number: int, as_json: bool, **given: int | None) -> None:
    """List the rounds of RUN: who proposed, who attested, who objected."""
    reader = wiring.reader(app)
    wanted = queries.require_run(reader, number)
    view = watching.look(reader, wanted, Records(app, reader, wanted))
    kept = indexing.rounds(app, number, narrowing.filters(given))
    found = [row for row in view.rows if kept is None or row.round in kept]
    columns, write = rounds_view.columns_of(view.rows), rounds_view.cells_among(view.rows)
    output.emit_list(found, as_json, "rounds", columns, write)


@ledger.command()
@click.argument("number", metavar="RUN", type=int)
@narrowing.options("site", "dataset")
@json_option
@pass_app
def updates(app: App, /, number: int, as_json: bool, **given: int | None) -> None:
    """List every update that was submitted to RUN, and what became of it."""
    reader = wiring.reader(app)
    history = queries.history_of(reader, queries.require_run(reader, number))
    kept = indexing.updates(app, number, narrowing.filters(given))
    found = [
        row
        for row in rounds_view.updates_of(history)
        if kept is None or (row.round, row.attempt, row.site) in kept
    ]
    output.emit_list(
        found, as_json, "updates",
        ("round", "attempt", "site", "examples", "verdict", "commitment", "block"),
        lambda e: (e.round, e.attempt, e.site, e.weight, e.verdict, output.short(e.commitment),
                   e.block),
    )  # fmt: skip


@ledger.command()
@narrowing.options("run")
@json_option
@pass_app
def sites(app: App, /, as_json: bool, **given: int | None) -> None:
    """List every institution; by time of its application."""
    listings.sites(app, as_json, indexing.sites(app, narrowing.filters(given)))


@ledger.command()
@click.argument("number", metavar="RUN", type=int)
@click.option(
    "--output",
    "-o",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; without it run-RUN.fednet here.",
)
@click.option("--without-blobs", is_flag=True, help="Write commitments only.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@pass_app
def export(
    app: App, number: int, path: Path | None, without_blobs: bool, force: bool, as_json: bool
) -> None:
    """Write RUN into one file that `fednet audit --bundle` checks offline.

    Ends with 1 if a blob is missing without which a final round cannot be verified.
    """
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    target = path or Path(f"run-{run}{bundles.SUFFIX}")
    exported = bundles.export(app, reader, run, target, not without_blobs, force)
    if as_json:
        output.emit_json(bundles.to_json(exported))
    else:
        bundles.show(exported)
    raise SystemExit(0 if exported.complete else 1)


@ledger.command()
@click.option("--site", type=int, help="Only requests for this site's datasets.")
@narrowing.options("run", "dataset")
@json_option
@pass_app
def access(app: App, /, site: int | None, as_json: bool, **given: int | None) -> None:
    """List every decision about access to data."""
    listings.access(app, site, as_json, indexing.grants(app, narrowing.filters(given)))


@ledger.command()
@click.argument("number", metavar="RUN", type=int)
@json_option
@pass_app
def credits(app: App, number: int, as_json: bool) -> None:  # noqa: A001 - the command's name
    """List who claimed which credits of RUN; `rewards show` tells what is earned."""
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    known = queries.names(reader)
    granted = reader.state(run).credits_granted
    claimed, transferable = reader.credit_total(run)
    accounts = {site: reader.credit_account(run, site) for site in sorted(known)}
    if as_json:
        listed = [{"site": site, "claimed": a.claimed, "balance": a.balance}
                  for site, a in accounts.items()]  # fmt: skip
        output.emit_json({"run": run, "granted": granted, "claimed": claimed,
                          "transferable": transferable, "sites": listed})  # fmt: skip
        return
    rows = [(site, known[site], a.claimed, a.balance) for site, a in accounts.items()]
    output.emit_table("credits", ("site", "name", "claimed", "balance"), rows)
    output.emit_fields({"granted": granted, "claimed": claimed, "transferable": transferable})


for _command in (*lineage.COMMANDS, *disclosures.COMMANDS):
    ledger.add_command(_command)
