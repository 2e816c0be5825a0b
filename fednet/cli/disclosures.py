"""`fednet ledger releases, budgets, readers, erasures`: what left a site, and what was promised."""

from __future__ import annotations

import click

from fednet.cli import indexing, narrowing, output
from fednet.cli.app import App, json_option, pass_app

_EVERY = 1 << 40
"""Datasets at most: all of them."""
_limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=50,
    show_default=True,
    help="Rows at most.",
)


@click.command()
@narrowing.options("run", "site", "dataset")
@_limit_option
@json_option
@pass_app
def releases(app: App, /, limit: int, as_json: bool, **given: int | None) -> None:
    """List what sites' airlocks were asked and what they decided, the latest first."""
    with indexing.fresh_index(app) as (index, _):
        found = index.releases(limit=limit, newest_first=True, **narrowing.filters(given))
    output.emit_list(
        found, as_json, "releases",
        ("run", "round", "attempt", "site", "dataset", "status", "request", "reason", "asked",
         "decided"),
        lambda e: (e.run, e.round, e.attempt, e.site, e.dataset, e.status,
                   output.short(e.request), output.short(e.reason) if e.reason else "",
                   output.when(e.time), output.when(e.decided_time or 0)),
    )  # fmt: skip


@click.command()
@narrowing.options("run", "site", "dataset")
@json_option
@pass_app
def budgets(app: App, /, as_json: bool, **given: int | None) -> None:
    """List what may be and what is spent of each dataset's privacy, over all runs."""
    with indexing.fresh_index(app) as (index, _):
        datasets = index.datasets(limit=_EVERY, **narrowing.filters(given))
        found = [(each.site, index.budget(each.dataset)) for each in datasets]
    if as_json:
        output.emit_json([budget for _, budget in found])
        return
    output.emit_table(
        "budgets", ("dataset", "site", "ceiling", "spent", "kept for seconds"),
        [(budget.dataset, site, str(budget.ceiling), str(budget.spent),
          budget.retention_seconds or "") for site, budget in found],
    )  # fmt: skip


@click.command()
@narrowing.options("run", "site")
@_limit_option
@json_option
@pass_app
def readers(app: App, /, limit: int, as_json: bool, **given: int | None) -> None:
    """List who may read runs' sealed blobs, and who no longer may; the latest first."""
    with indexing.fresh_index(app) as (index, _):
        found = index.readers(limit=limit, newest_first=True, **narrowing.filters(given))
    output.emit_list(
        found, as_json, "readers",
        ("reader", "run", "admitted by site", "account", "letter", "since", "until"),
        lambda e: (e.reader, e.run, e.site, e.account, output.short(e.letter),
                   output.when(e.time), output.when(e.dismissed_time or 0)),
    )  # fmt: skip


@click.command()
@narrowing.options("run", "site", "dataset")
@_limit_option
@json_option
@pass_app
def erasures(app: App, /, limit: int, as_json: bool, **given: int | None) -> None:
    """List which sites erased blobs of runs, and on what grounds; the latest first."""
    with indexing.fresh_index(app) as (index, _):
        found = index.erasures(limit=limit, newest_first=True, **narrowing.filters(given))
    output.emit_list(
        found, as_json, "erasures",
        ("run", "site", "dataset", "blobs", "list", "grounds", "time"),
        lambda e: (e.run, e.site, e.dataset, e.blobs, output.short(e.list),
                   output.short(e.grounds), output.when(e.time)),
    )  # fmt: skip


COMMANDS = (releases, budgets, readers, erasures)
