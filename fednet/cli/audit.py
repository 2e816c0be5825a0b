"""`fednet audit`: recompute a run and name what is wrong."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import auditing, bundles, output, queries, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app
from fednet.domain.identity import Digest


@click.command(
    epilog=example(
        "",
        "fednet audit 1",
        "fednet audit 1 --checkpoint theirs.jsonl",
        "fednet audit 1 --with-key --account auditor",
        "fednet audit --all --json",
        "fednet audit --bundle run-1.fednet --pin 2041:0x5f0c...",
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
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Audit this file of `fednet ledger export` instead; needs no chain and no store.",
)
@click.option(
    "--pin",
    "pins",
    type=bundles.PIN,
    multiple=True,
    help="A block's number and hash, known from elsewhere, that must be in the chain; may be"
    " repeated.",
)
@click.option(
    "--with-key",
    is_flag=True,
    help="Open sealed blobs with this home's encryption key: a member's, or one that was granted"
    " to it; decrypt sums with the key that sites share, if it is here.",
)
@account_options
@json_option
@pass_app
def audit(
    app: App,
    number: int | None,
    every: bool,
    checkpoint_files: tuple[Path, ...],
    afresh: bool,
    bundle: Path | None,
    pins: tuple[tuple[int, Digest], ...],
    with_key: bool,
    account: str | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Recompute every aggregate and every credit of RUN, from chain and blobs.

    Needs no permission, and no key but for what is sealed. Ends with 0 if
    everything holds, with 1 if something does not, with 9 if it is sealed and
    not replayed, with another status if it could not look. A grown run is
    looked at where it is new; the ledger itself always anew. What a bundle
    proves, and what only a pin or a checkpoint adds, docs/protocol.md tells.
    """
    if [number is not None, every, bundle is not None].count(True) != 1:
        raise click.UsageError("give a RUN, --all, or --bundle FILE")
    signer = Signer(account, password_file) if with_key else None
    options = auditing.Options.gather(app, checkpoint_files, afresh, dict(pins), signer)
    if bundle is not None:
        auditing.finish(bundles.audit(app, bundle, options), as_json)
    reader = wiring.reader(app)
    if number is None:
        summary = auditing.audit_all(app, reader, options)
        if as_json:
            output.emit_json(summary.to_json())
        else:
            auditing.show_all(summary)
        raise SystemExit(summary.exit_code)
    report = auditing.audit(app, reader, queries.require_run(reader, number), options)
    auditing.finish(report, as_json)
