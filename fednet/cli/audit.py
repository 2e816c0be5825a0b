"""`fednet audit`: recompute a run and name what is wrong."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import auditing, output, queries, wiring
from fednet.cli.app import App, example, json_option, pass_app


@click.command(
    epilog=example(
        "",
        "fednet audit 1",
        "fednet audit 1 --checkpoint theirs.jsonl",
        "fednet audit --all --json",
    )
)
@click.argument("number", metavar="[RUN]", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="Audit every run.")
@click.option(
    "--checkpoint",
    "checkpoint_files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="File of checkpoints to compare the chain with, beside those kept; may be repeated.",
)
@click.option(
    "--afresh", is_flag=True, help="Look again at rounds verified on this machine before."
)
@json_option
@pass_app
def audit(
    app: App,
    number: int | None,
    every: bool,
    checkpoint_files: tuple[Path, ...],
    afresh: bool,
    as_json: bool,
) -> None:
    """Recompute every aggregate and every credit of RUN, from chain and blobs.

    Needs no key and no permission. Ends with 0 if everything holds, with 1 if
    something does not, with another status if it could not look. A grown run is
    looked at where it is new; the ledger itself always anew.
    """
    if (number is None) is not every:
        raise click.UsageError("give a RUN, or --all")
    reader = wiring.reader(app)
    options = auditing.Options.gather(app, checkpoint_files, afresh)
    if number is None:
        summary = auditing.audit_all(app, reader, options)
        if as_json:
            output.emit_json(summary.to_json())
        else:
            auditing.show_all(summary)
        raise SystemExit(summary.exit_code)
    report = auditing.audit(app, reader, queries.require_run(reader, number), options)
    if as_json:
        output.emit_json(report.to_json())
    else:
        auditing.show(report)
    raise SystemExit(report.exit_code)
