"""`fednet safes`: the Five Safes of a run, each line with the records that it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fednet.cli import indexing, output, tracing, wiring
from fednet.cli.app import App, example, json_option, pass_app
from fednet.domain.identity import RunId

if TYPE_CHECKING:
    from fednet.provenance import Line

_COLUMNS = ("about", "name", "what the ledger says", "records")


@click.command(
    epilog=example(
        "",
        "fednet safes 1",
        "fednet safes 1 --part outputs --json",
    )
)
@click.argument("number", metavar="RUN", type=int)
@click.option("--part", type=click.Choice(("people", "projects", "settings", "data", "outputs")),
              help="Only one of the five.")  # fmt: skip
@json_option
@pass_app
def safes(app: App, number: int, part: str | None, as_json: bool) -> None:
    """Show RUN by the Five Safes: people, projects, settings, data, outputs.

    Says what stands on the ledger, and in which block and transaction; needs no
    key. Whether it holds is for `fednet audit` to say. The plan's own lines are
    there if a store that runs has the plan.
    """
    from fednet.provenance import PARTS, QUESTIONS, five_safes

    deployment = wiring.reader(app).deployment
    with indexing.fresh_index(app) as (index, _):
        row = index.run(number)
        plan = tracing.plan_at_hand(app, row.plan, row.plan_locator) if row else None
        found = five_safes(index, RunId(number), plan, deployment)
    wanted = PARTS if part is None else (part,)
    lines: dict[str, tuple[Line, ...]] = {each: getattr(found, each) for each in wanted}
    if as_json:
        output.emit_json({"run": found.run, **lines})
        return
    if plan is None:
        output.say("the plan's bytes are not at hand: what only the plan says is left out")
    for each, told in lines.items():
        click.echo(f"\nSafe {each.capitalize()}: {QUESTIONS[each]}")
        output.emit_table("lines", _COLUMNS, [_cells(said) for said in told])


def _cells(said: Line) -> tuple[object, ...]:
    named = [f"{record.block} {output.short(record.transaction)}" for record in said.records]
    if said.more_records:
        named.append(f"and {said.more_records} earlier")
    return said.about, said.name, said.says, ", ".join(named)
