"""`fednet airlock`: list, show, approve, reject, return what waits to leave the site."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import output, reviewing
from fednet.cli.app import App, example, json_option, pass_app, read_text
from fednet.node.answers import Ruling


@click.group(
    epilog=example(
        "as the reviewer of a site",
        "fednet airlock list --waiting",
        "fednet airlock show 7",
        "fednet airlock approve 7",
        'fednet airlock reject 8 --reason "an outlier, see the data log"',
        'fednet airlock return 9 --reason "train again, the policy is mended"',
    )
)
def airlock() -> None:
    """The airlock: what waits to leave this site, and what became of it.

    Works on the home's files, beside a node that runs or does not. That a person
    decides is switched on in the airlock's policy: [gate] human = true.
    """


@airlock.command("list")
@click.option("--waiting", is_flag=True, help="Only what waits for an answer.")
@json_option
@pass_app
def list_requests(app: App, waiting: bool, as_json: bool) -> None:
    """List the updates that were put to the airlock, and where each stands."""
    found = reviewing.entries(app, waiting=waiting)
    output.emit_list(
        found, as_json, "requests",
        ("request", "run", "round", "attempt", "dataset", "state", "asked", "answer until"),
        lambda e: (e.number, e.run, e.round, e.attempt, e.dataset, e.state,
                   output.when(e.asked), output.when(e.deadline)),
    )  # fmt: skip


@airlock.command()
@click.argument("number", metavar="REQUEST", type=int)
@json_option
@pass_app
def show(app: App, number: int, as_json: bool) -> None:
    """Show REQUEST: every check, its figure and its bound, and what was decided why."""
    found = reviewing.look(app, number)
    if as_json:
        output.emit_json(found)
        return
    output.emit_fields(reviewing.fields(found))
    click.echo()
    output.emit_table(
        "checks",
        ("verdict", "check", "what was asked", "expected", "found"),
        [(c.verdict.value, c.name, c.finding, c.expected, c.actual) for c in found.checks],
    )


@airlock.command()
@click.argument("number", metavar="REQUEST", type=int)
@click.option("--reason", help="Stays at this site; others learn a salted commitment to it.")
@pass_app
def approve(app: App, number: int, reason: str | None) -> None:
    """Let the update of REQUEST out; the node sends it if its round still takes it."""
    answered = reviewing.answer(app, number, Ruling.APPROVED, reason or "")
    click.echo(f"request {answered} is approved")


@airlock.command()
@click.argument("number", metavar="REQUEST", type=int)
@click.option("--reason", help="Stays at this site; others learn a salted commitment to it.")
@click.option("--reason-file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def reject(app: App, number: int, reason: str | None, reason_file: Path | None) -> None:
    """Keep the update of REQUEST in; it costs the site the round, and nothing else."""
    _keep_in(app, number, Ruling.REJECTED, reason, reason_file)


@airlock.command("return")
@click.argument("number", metavar="REQUEST", type=int)
@click.option("--reason", help="Stays at this site; others learn a salted commitment to it.")
@click.option("--reason-file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def send_back(app: App, number: int, reason: str | None, reason_file: Path | None) -> None:
    """Send the update of REQUEST back; the node makes another if the round leaves the time.

    If it does not, that costs the site the round, and nothing else. Without
    noise the same data and the same plan give the same values again.
    """
    _keep_in(app, number, Ruling.RETURNED, reason, reason_file)


def _keep_in(
    app: App, number: int, ruling: Ruling, reason: str | None, reason_file: Path | None
) -> None:
    text = read_text(reason, reason_file, "reason").decode("utf-8", "replace")
    answered = reviewing.answer(app, number, ruling, text)
    click.echo(f"request {answered} is {ruling}")
