"""`fednet dataset`: register, list, close, replace, erase, retention. The data never moves."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import output, private_data, queries, replacing, sweeping, wiring
from fednet.cli.app import (
    App,
    Signer,
    account_options,
    confirm,
    example,
    json_option,
    pass_app,
    read_text,
    yes_option,
)
from fednet.cli.erasing import Eraser
from fednet.domain.identity import DatasetId, RunId

_SECONDS_PER_DAY = 86_400


@click.group(
    epilog=example(
        "as a site",
        "fednet dataset register data.csv --task breast-cancer \\",
        '    --description "569 fine needle aspirates, anonymised"',
        "fednet dataset list",
    )
)
def dataset() -> None:
    """Datasets: what a site holds, by commitment; never data."""


@dataset.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--task", help="Task that counts the examples; default from the settings.")
@click.option("--description", help="What the data is; only its SHA-256 goes on the chain.")
@click.option("--description-file", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def register(
    app: App,
    path: Path | None,
    task: str | None,
    description: str | None,
    description_file: Path | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Register the private data at PATH, or the one in the settings.

    PATH is a file or a folder. The chain learns the number of examples and
    SHA-256(salt, bytes). The node checks before every round that it still
    trains on these bytes.
    """
    about = read_text(description, description_file, "description", optional=True)
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    site = queries.own_site(reader, writer.address)
    chosen = private_data.choose(app, path, task)
    with output.working("checking the data against the task"):
        inspection = private_data.inspect(app, chosen)
    number = private_data.register(app, reader, writer, site, chosen, about, inspection.examples)
    click.echo(f"dataset {number}: {inspection.examples} examples, registered by site {site}")


@dataset.command("list")
@json_option
@pass_app
def list_datasets(app: App, as_json: bool) -> None:
    """List every registered dataset."""
    found = queries.datasets(wiring.reader(app))
    output.emit_list(
        found, as_json, "datasets", ("dataset", "site", "examples", "closed", "commitment"),
        lambda d: (d.dataset, d.site, d.examples, d.closed, output.short(d.data)),
    )  # fmt: skip


@dataset.command()
@click.argument("number", metavar="DATASET", type=int)
@account_options
@pass_app
def close(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Close DATASET: no new grant and no new consent under it."""
    writer = wiring.writer(app, Signer(account, password_file))
    writer.close_dataset(DatasetId(number))
    click.echo(f"dataset {number} closed")


@dataset.command()
@click.argument("old", metavar="DATASET", type=int)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--task", help="Task that counts the examples; default from the settings.")
@click.option("--description", help="What the data is; only its SHA-256 goes on the chain.")
@click.option("--description-file", type=click.Path(path_type=Path, dir_okay=False))
@yes_option
@account_options
@pass_app
def replace(
    app: App,
    old: int,
    path: Path,
    task: str | None,
    description: str | None,
    description_file: Path | None,
    yes: bool,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Put the data at PATH in the place of DATASET, and close that.

    For records that were withdrawn: PATH is the data without them. Registers
    it, revokes every grant on the old dataset (which ends consents under them),
    lets the new one spend what the old one had left of its privacy, closes the
    old one. Researchers ask for access anew. If it is interrupted, give the
    command again. What was made from the old data stays until `erase`.
    """
    confirm(f"revoke every grant on dataset {old}, and close it for ever?", yes)
    about = read_text(description, description_file, "description", optional=True)
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    site = queries.own_site(reader, writer.address)
    chosen = private_data.choose(app, path, task)
    with output.working("checking the data against the task"):
        inspection = private_data.inspect(app, chosen)
    done = replacing.replace(
        app, reader, writer, site, DatasetId(old), chosen, about, inspection.examples
    )
    revoked = ", ".join(str(grant) for grant in done.revoked) or "none"
    click.echo(
        f"dataset {done.new}: {done.examples} examples, in the place of dataset {old};"
        f" grants revoked: {revoked}; may spend {done.ceiling}"
    )
    output.say("restart the node if it runs: it holds to the old data until then")
    output.say(f"next, for what was made from the old data: fednet dataset erase {old}")


@dataset.command()
@click.argument("number", metavar="DATASET", type=int)
@click.option("--grounds", help="What asks for it; stays here, only a salted hash is recorded.")
@click.option("--grounds-file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", "only", type=int, help="Only what this run made of it; default all.")
@yes_option
@account_options
@pass_app
def erase(
    app: App,
    number: int,
    grounds: str | None,
    grounds_file: Path | None,
    only: int | None,
    yes: bool,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Erase this site's updates made from DATASET, which must be closed.

    Removes their bytes from this home and its store, destroys keys that they
    were sealed under, and records each run's erasure; audits then say "erased"
    with the grounds. Nodes and hubs of other members let go of theirs by the
    record (`fednet store sweep`); nobody can force them. If it is interrupted,
    give the command again.
    """
    text = read_text(grounds, grounds_file, "grounds")
    confirm(f"erase every update made from dataset {number}, for ever?", yes)
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    site = queries.own_site(reader, writer.address)
    with wiring.store(app) as store:
        remover = sweeping.remover(app, site, reader, store)
        eraser = Eraser(app.home, site, reader, writer, remover)
        found = list(eraser.erase(DatasetId(number), text, RunId(only) if only else None))
    for each in found:
        click.echo(
            f"run {each.run}: {each.updates} updates erased, {each.removed} of them were here;"
            f" grounds {each.grounds}"
        )
    if not found:
        click.echo(f"no update was made from dataset {number}")
    if only is None and replacing.destroy_salt(app, reader, site, DatasetId(number)):
        output.say("the salt of its commitment is destroyed: nobody can tell what data it was")


@dataset.command()
@click.argument("number", metavar="DATASET", type=int)
@click.option("--days", type=click.IntRange(1, 36_500), required=True,
              help="After the end of a run.")  # fmt: skip
@account_options
@pass_app
def retention(
    app: App, number: int, days: int, account: str | None, password_file: Path | None
) -> None:
    """Say on the ledger how long what runs make from DATASET is kept.

    `fednet doctor` tells what is overdue; `fednet dataset erase` erases it.
    """
    writer = wiring.writer(app, Signer(account, password_file))
    writer.set_retention(DatasetId(number), days * _SECONDS_PER_DAY)
    click.echo(f"dataset {number}: what runs make from it is kept for {days} days after each")
