"""`fednet report`: the audit of a run in plain language, signed if wanted."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fednet.cli import dossiers, output, sealing
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app
from fednet.exports import (
    Statement,
    make_statement,
    require_free,
    write_files,
    write_html,
)

_FILE = click.Path(path_type=Path, dir_okay=False)


class _Report(click.Group):
    """A group that takes a run's number for its first command's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Let ``report 1`` mean ``report write 1``."""
        if args and args[0].isdigit():
            args = ["write", *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Report,
    epilog=example(
        "",
        "fednet report 1 --html report.html --pdf report.pdf --sign",
        "fednet report verify report.html",
    ),
)
def report() -> None:
    """Reports for an ethics board; `report RUN` is short for `report write RUN`."""


@report.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--html", "html_file", type=_FILE, help="Write one self-contained HTML file.")
@click.option("--pdf", "pdf_file", type=_FILE, help="Write a PDF.")
@click.option("--sign", is_flag=True, help="Sign it; writes FILE's name with .sig.json too.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@account_options
@json_option
@pass_app
def write(
    app: App, number: int, html_file: Path | None, pdf_file: Path | None, sign: bool, force: bool,
    account: str | None, password_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Audit RUN and write what was found, for people who are no engineers.

    Ends with 0 when it is written, whatever the audit found; `fednet audit`
    ends with its verdict.
    """
    targets = [path for path in (html_file, pdf_file) if path is not None]
    if not targets:
        raise click.UsageError("--html FILE or --pdf FILE is needed")
    detached = {sealing.signed_path(path) for path in targets} if sign else set()
    require_free([*targets, *detached], force)
    with dossiers.dossier_of(app, number, audited=True, afresh=True) as (_, dossier):
        statement = make_statement(dossier, int(time.time()))
    signed = sealing.sign(app, Signer(account, password_file), statement) if sign else None
    seal = signed.seal if signed else None
    files: dict[Path, bytes] = {}
    if html_file is not None:
        files[html_file] = write_html(statement, seal)
    if pdf_file is not None:
        from fednet.exports.pdf import write_pdf

        files[pdf_file] = write_pdf(statement, seal)
    if signed is not None:
        files |= {path: signed.to_bytes() for path in detached}
    write_files(files, force=force)
    _show(statement, list(files), seal.account if seal else None, as_json)


@report.command()
@click.argument("file", type=_FILE)
@json_option
@pass_app
def verify(app: App, file: Path, as_json: bool) -> None:
    """Check who signed the report FILE, and that no word of it was changed.

    FILE is the HTML, the PDF or the .sig.json, which must lie beside them.
    Asks no chain: whether the account is a member's is for `fednet site list`.
    """
    signed = sealing.verify(file)
    _show(signed.statement, [file], signed.seal.account, as_json)


def _show(statement: Statement, files: list[Path], account: str | None, as_json: bool) -> None:
    told = {
        "run": statement.run,
        "verdict": statement.verdict,
        "accused": list(statement.accused),
        "block": statement.block,
        "digest": str(statement.digest),
        "signed by": account or "nobody",
        "files": [str(path) for path in files],
    }
    if as_json:
        output.emit_json(told)
        return
    output.emit_fields(told | {"accused": "; ".join(statement.accused) or "nobody",
                               "files": ", ".join(map(str, files))})  # fmt: skip
    if statement.verdict != "holds":
        output.say(output.text(statement.headline))
