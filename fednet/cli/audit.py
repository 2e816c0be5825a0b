"""`fednet audit`: recompute a run and name what is wrong."""

from __future__ import annotations

import click

from fednet.cli import auditing, output, queries, wiring
from fednet.cli.app import App, example, json_option, pass_app


@click.command(
    epilog=example(
        "",
        "fednet audit 1",
    )
)
@click.argument("number", metavar="RUN", type=int)
@json_option
@pass_app
def audit(app: App, number: int, as_json: bool) -> None:
    """Recompute every aggregate and every credit of RUN, from chain and blobs.

    Needs no key and no permission. Ends with 0 if everything holds, with 1 if
    something does not.
    """
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    report = auditing.audit(app, reader, run)
    if as_json:
        output.emit_json(report.to_json())
    else:
        auditing.show(report)
    raise SystemExit(report.exit_code)
