"""`fednet ledger lineage, lookup, site, dataset, members, events, index`: from the local index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fednet.cli import home, indexing, narrowing, output, tracing
from fednet.cli.app import App, json_option, pass_app
from fednet.domain.identity import Commitment
from fednet.errors import LedgerError

if TYPE_CHECKING:
    from fednet.provenance import EventRow, Lineage, Match

_Row = TypeVar("_Row")
_MAX_LISTED = 10_000
_limit_option = click.option(
    "--limit", type=click.IntRange(1, _MAX_LISTED), default=1_000, show_default=True,
    help="Rows at most.",
)  # fmt: skip


@click.command()
@click.argument("commitment")
@click.option("--run", type=int, help="Only look in this run.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Also draw it into FILE."
)
@click.option(
    "--cluster", type=click.IntRange(0),
    help="Only what made one cluster's model, where a run has clusters.",
)  # fmt: skip
@json_option
@pass_app
def lineage(
    app: App, commitment: str, run: int | None, svg: Path | None, cluster: int | None, as_json: bool
) -> None:
    """Trace a model back to the initial one.

    COMMITMENT is that of a state, a round record or an initial model; its first
    digits will do where they name one thing.
    """
    from fednet.provenance import draw

    with indexing.fresh_index(app) as (index, _):
        found = index.lineage(_whole(index.lookup(commitment), commitment), run)
    found = tracing.completed(app, found, cluster)
    if svg is not None:
        home.write_new(svg, draw(found).encode())
        output.say(f"drawn into {svg}")
    if as_json:
        output.emit_json(found)
        return
    _show(found)


@click.command()
@click.argument("text")
@json_option
@pass_app
def lookup(app: App, text: str, as_json: bool) -> None:
    """Tell what TEXT names.

    A commitment or its first digits, a CID, an address, a transaction, a block,
    "run 3", a number, or part of an institution's name.
    """
    with indexing.fresh_index(app) as (index, _):
        found = index.lookup(text)
    output.emit_list(
        found, as_json, "such thing on the ledger", ("what", "name", "where"),
        lambda each: (each.kind, each.subject, each.where),
    )  # fmt: skip


@click.command()
@click.argument("number", metavar="SITE", type=int)
@_limit_option
@json_option
@pass_app
def site(app: App, number: int, limit: int, as_json: bool) -> None:
    """Show SITE and what it gave to every run."""
    with indexing.fresh_index(app) as (index, _):
        found = _known("site", number, index.site)
        given = index.contributions(number, limit=limit)
    if as_json:
        output.emit_json({"site": found, "contributions": given})
        return
    output.emit_fields(
        {
            "site": found.site,
            "name": found.name,
            "standing": found.standing,
            "roles": found.roles,
            "account": found.account,
            "applied": output.when(found.time),
            "datasets": found.datasets,
            "updates": found.updates,
        }
    )
    rows = [
        (e.run, e.submitted, e.included, e.invalid, e.unavailable, e.examples, e.proposals,
         e.attestations, e.objections, e.claimed)
        for e in given
    ]  # fmt: skip
    columns = ("run", "submitted", "included", "invalid", "unavailable", "examples", "proposals",
               "attested", "objected", "claimed")  # fmt: skip
    output.emit_table("contributions", columns, rows)


@click.command()
@click.argument("number", metavar="DATASET", type=int)
@_limit_option
@json_option
@pass_app
def dataset(app: App, number: int, limit: int, as_json: bool) -> None:
    """Show DATASET and everything that ever touched it."""
    with indexing.fresh_index(app) as (index, _):
        found = _known("dataset", number, index.dataset)
        history = index.history(number, limit=limit)
    if as_json:
        output.emit_json({"dataset": found, "history": history})
        return
    output.emit_fields(
        {
            "dataset": found.dataset,
            "site": found.site,
            "examples": found.examples,
            "closed": found.closed,
            "description": found.description,
            "data": found.data,
        }
    )
    _show_events(history, as_json=False)


@click.command()
@click.option("--at", help="Block number, or time like 2026-01-31T12:00 (UTC); without it now.")
@json_option
@pass_app
def members(app: App, at: str | None, as_json: bool) -> None:
    """List who was an active member, and since when."""
    moment = {} if at is None else narrowing.moment(at)
    with indexing.fresh_index(app) as (index, _):
        found = index.members_at(**moment)
    output.emit_list(
        found, as_json, "members", ("site", "name", "roles", "account", "active since", "block"),
        lambda e: (e.site, e.name, e.roles, e.account, output.when(e.since_time), e.since_block),
    )  # fmt: skip


@click.command()
@narrowing.options("run", "site", "dataset")
@click.option("--kind", help='Only events of one kind, like "RoundFinalized".')
@_limit_option
@json_option
@pass_app
def events(app: App, /, limit: int, kind: str | None, as_json: bool, **given: int | None) -> None:
    """List what happened, the latest first."""
    filters = narrowing.filters(given)
    if kind is not None:
        filters["kind"] = kind
    with indexing.fresh_index(app) as (index, _):
        found = index.events(limit=limit, newest_first=True, **filters)
    _show_events(found, as_json)


@click.command()
@click.option("--rebuild", is_flag=True, help="Throw it away and read the chain from the start.")
@json_option
@pass_app
def index(app: App, rebuild: bool, as_json: bool) -> None:
    """Bring this home's index of the ledger up to the chain.

    The other commands do so by themselves; the chain stays the authority, and
    the audit never reads the index.
    """
    with indexing.fresh_index(app, rebuild) as (opened, done):
        events_held = opened.count_events()
    told = {"head": done.head.number, "events": events_held, "added": done.added,
            "removed": done.removed, "rebuilt": done.rebuilt}  # fmt: skip
    output.emit_values(told, as_json)


COMMANDS = (lineage, lookup, site, dataset, members, events, index)


def _show(found: Lineage) -> None:
    output.emit_fields(
        {
            "model": found.subject,
            "run": found.run,
            "researcher": found.researcher,
            "plan": found.plan,
            "task code": found.task_digest or "the plan's bytes are not at hand",
            "initial model": found.initial_model,
        }
    )
    if found.cluster_model is not None:
        output.emit_fields({"cluster": found.cluster, "its model": found.cluster_model})
    updates = [each for step in found.steps for each in step.updates]
    clustered = any(each.cluster is not None for each in updates)
    rows = [
        (step.round, output.short(step.state), output.short(step.previous_state), u.site,
         found.names.get(u.site, ""), u.weight, u.verdict,
         *((u.cluster,) if clustered else ()), output.short(u.commitment), u.dataset, u.grant)
        for step in found.steps
        for u in step.updates
    ]  # fmt: skip
    columns = ("round", "state", "made from", "site", "name", "examples", "verdict",
               *(("cluster",) if clustered else ()), "update", "dataset", "grant")  # fmt: skip
    output.emit_table("rounds before", columns, rows)


def _show_events(found: list[EventRow], as_json: bool) -> None:
    output.emit_list(
        found, as_json, "events",
        ("block", "time", "event", "run", "round", "site", "dataset", "grant"),
        lambda e: (e.block, output.when(e.time), e.kind, e.run, e.round, e.site, e.dataset,
                   e.grant),
    )  # fmt: skip


def _whole(matches: Sequence[Match], text: str) -> Commitment:
    """Complete the first digits of a model's commitment."""
    digits = text.strip().lower().removeprefix("0x")
    models = ("state", "round record", "initial model")
    named = {each.subject for each in matches if each.kind in models}
    if len(named) > 1:
        raise LedgerError(
            "more than one model begins so", subject=digits, hint="give more of its digits"
        )
    if named:
        return Commitment(named.pop())
    if len(digits) == 64:
        return Commitment(digits)
    raise LedgerError(
        "no model of that commitment stands on the ledger",
        subject=text[:80],
        hint="`fednet ledger rounds RUN` lists the states of a run",
    )


def _known(what: str, number: int, find: Callable[[int], _Row | None]) -> _Row:
    """Find a site or a dataset by its number, or say that there is none."""
    found = find(number)
    if found is None:
        hint = f"`fednet {what} list` shows the {what}s"
        raise LedgerError(f"no such {what}", subject=f"{what} {number}", hint=hint)
    return found
