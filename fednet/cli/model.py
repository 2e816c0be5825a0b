"""`fednet model`: take a global model, with its card and its lineage."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import adapt, dossiers, output
from fednet.cli.app import App, example, json_option, pass_app
from fednet.exports import (
    MODEL_FILE,
    require_free,
    take_model,
    write_card,
    write_files,
    write_lineage,
)

CARD_FILE, LINEAGE_FILE = "README.md", "lineage.json"


@click.group(epilog=example("", "fednet model get 1 -o model"))
def model() -> None:
    """Global models: take one, verified, with its card and its lineage."""


model.add_command(adapt.adapt)
model.add_command(adapt.own)


@model.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--round", "wanted", type=click.IntRange(1), help="Final round; default the latest.")
@click.option("--best", is_flag=True, help="The round that did best at the sites, not the latest.")
@click.option("--cluster", type=click.IntRange(0), help="Whose model, where a run has clusters.")
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Directory for the model, README.md and lineage.json.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-audit", is_flag=True, help="Do not audit the run first; the card says so.")
@json_option
@pass_app
def get(
    app: App, number: int, wanted: int | None, best: bool, cluster: int | None, target: Path,
    force: bool, no_audit: bool, as_json: bool,
) -> None:  # fmt: skip
    """Take the global model of RUN into a directory.

    Refuses a model that is not final, whose bytes are not the committed ones,
    or of a run that does not pass its audit.
    """
    if best and wanted is not None:
        raise click.UsageError("--best and --round exclude each other")
    paths = {name: target / name for name in (MODEL_FILE, CARD_FILE, LINEAGE_FILE)}
    require_free(list(paths.values()), force)
    with dossiers.dossier_of(app, number, audited=not no_audit) as (gatherer, dossier):
        if best:
            wanted = dossiers.best_round(dossier)
        chosen = dossiers.final_round(dossier, wanted)
        dossiers.require_verified(dossier)
        with output.working("fetching the model"):
            found = gatherer.model(dossier, chosen.number)
        taken = take_model(found, paths[MODEL_FILE], chosen.proposed.state, dossier.plan, cluster)
    files = {
        paths[CARD_FILE]: write_card(dossier, chosen, taken),
        paths[LINEAGE_FILE]: write_lineage(dossier, chosen),
    }
    write_files(files, force=force)
    told = {
        "run": number,
        "round": chosen.number,
        "sha256": str(taken.commitment),
        "state": str(taken.state),
        "audited": dossier.report is not None,
        "files": [str(path) for path in paths.values()],
    }
    if as_json:
        output.emit_json(told)
        return
    click.echo(f"wrote {target}: round {chosen.number}, sha256 {taken.commitment}")
    output.say(f"next: fill in what {CARD_FILE} marks for the researcher")
