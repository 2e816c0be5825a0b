"""`fednet doctor`: what is amiss on this machine, and the remedy for each."""

from __future__ import annotations

import click

from fednet.cli import checkup, output
from fednet.cli.app import App, example, json_option, pass_app


@click.command(
    epilog=example(
        "",
        "fednet doctor",
    )
)
@json_option
@pass_app
def doctor(app: App, as_json: bool) -> None:
    """Check chain, deployment, store, keys, data, task, walls and versions.

    Changes nothing. Ends with 0 if everything needed is there, else with 2.
    """
    found = checkup.examine(app)
    healthy = all(entry.good or not entry.needed for entry in found)
    if as_json:
        output.emit_json({"healthy": healthy, "checks": found})
    else:
        for entry in found:
            mark = "ok  " if entry.good else "FAIL" if entry.needed else "note"
            click.echo(f"{mark}  {entry.name}: {output.text(entry.found)}")
            if not entry.good and entry.remedy:
                click.echo(f"      remedy: {entry.remedy}")
    raise SystemExit(0 if healthy else 2)
