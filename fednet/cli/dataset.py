"""`fednet dataset`: register, list, close. The data itself never moves."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import output, private_data, queries, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app, read_text
from fednet.domain.identity import DatasetId


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
