"""`fednet ledger prov` and `fednet ledger crate`: a run in the forms that the field reads."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import dossiers, output
from fednet.cli.app import App, pass_app
from fednet.exports import make_crate, require_free, write_crate, write_files, write_prov

_NO_AUDIT = click.option("--no-audit", is_flag=True, help="Leave the audit's verdict out.")


@click.command()
@click.argument("number", metavar="RUN", type=int)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_NO_AUDIT
@pass_app
def prov(app: App, number: int, file: Path, no_audit: bool) -> None:
    """Write the provenance of RUN to FILE as W3C PROV-JSON."""
    require_free([file], force=False)
    with dossiers.dossier_of(app, number, audited=not no_audit) as (_, dossier):
        write_files({file: write_prov(dossier)})
    click.echo(f"wrote {file}: PROV-JSON of {len(dossier.final_rounds)} final rounds")


@click.command()
@click.argument("number", metavar="RUN", type=int)
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@_NO_AUDIT
@pass_app
def crate(app: App, number: int, target: Path, no_audit: bool) -> None:
    """Write RUN to DIR, or to a file ending in .zip, as a Workflow Run RO-Crate.

    Inside are the plan, the round records, the final model, the provenance and
    what the audit found; datasets and updates are named by commitment only.
    """
    require_free([target], force=False)
    with dossiers.dossier_of(app, number, audited=not no_audit) as (gatherer, dossier):
        last = dossiers.final_round(dossier, None)
        with output.working("fetching the model"):
            model = gatherer.model(dossier, last.number)
        write_crate(make_crate(dossier, model), target)
    click.echo(f"wrote {target}: RO-Crate with the model of round {last.number}")
