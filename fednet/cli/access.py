"""`fednet access`: request, show, grant, deny, revoke, list."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import listings, notes, output, publishing, queries, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app, read_text
from fednet.domain.identity import ZERO_DIGEST, DatasetId, Digest, GrantId

_SECONDS_PER_DAY = 86_400
_MAX_TEXT_BYTES = 1 << 16


@click.group(
    epilog=example(
        "as a researcher and then as the site",
        'fednet access request 1 --purpose "benign or malignant, study 17"',
        "fednet access show 1",
        "fednet access grant 1 --days 90 --terms-file terms.txt",
    )
)
def access() -> None:
    """Access to data: who asked for what, and what the site decided."""


@access.command()
@click.argument("numbers", metavar="DATASET...", nargs=-1, required=True, type=int)
@click.option("--purpose", help="What the data is wanted for.")
@click.option("--purpose-file", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def request(
    app: App,
    numbers: tuple[int, ...],
    purpose: str | None,
    purpose_file: Path | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Ask for access to DATASET for a stated purpose.

    The text is published to every member, and cannot be taken back: it must
    not contain personal data, names of persons among them.
    """
    text = read_text(purpose, purpose_file, "purpose")
    writer = wiring.writer(app, Signer(account, password_file))
    with wiring.store(app) as store:
        commitment, locator = publishing.publish_text(store, text)
    for number in numbers:
        receipt = writer.request_access(DatasetId(number), commitment, locator)
        click.echo(f"access request {receipt.created} for dataset {number}")


@access.command()
@click.argument("number", metavar="GRANT", type=int)
@json_option
@pass_app
def show(app: App, number: int, as_json: bool) -> None:
    """Show an access request and the text of its purpose."""
    entry = queries.require_access(wiring.reader(app), number)
    with wiring.store(app) as store:
        text = publishing.fetch(app, store, entry.purpose, entry.purpose_locator, _MAX_TEXT_BYTES)
    purpose = text.decode("utf-8", "replace")
    if as_json:
        output.emit_json(output.flat(entry, "access") | {"purpose_text": purpose})
        return
    output.emit_fields(
        {
            "request": number,
            "dataset": entry.access.dataset,
            "site": entry.site,
            "researcher": entry.access.researcher,
            "status": entry.access.status,
            "expiry": output.when(entry.access.expiry),
            "purpose": purpose,
        }
    )


@access.command()
@click.argument("number", metavar="GRANT", type=int)
@click.option("--days", type=click.IntRange(1, 36_500), required=True, help="How long it lasts.")
@click.option("--terms", help="Terms of use.")
@click.option("--terms-file", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def grant(
    app: App,
    number: int,
    days: int,
    terms: str | None,
    terms_file: Path | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Grant request GRANT under terms; the text is published to every member."""
    text = read_text(terms, terms_file, "terms")
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    queries.require_access(reader, number)
    with wiring.store(app) as store:
        commitment, locator = publishing.publish_text(store, text)
    expiry = reader.head().timestamp + days * _SECONDS_PER_DAY
    writer.grant_access(GrantId(number), commitment, locator, expiry)
    click.echo(f"access request {number} granted until {output.when(expiry)}")


@access.command()
@click.argument("number", metavar="GRANT", type=int)
@click.option("--reason", help="Stays here; only a salted SHA-256 goes on the chain.")
@account_options
@pass_app
def deny(
    app: App, number: int, reason: str | None, account: str | None, password_file: Path | None
) -> None:
    """Deny request GRANT."""
    writer = wiring.writer(app, Signer(account, password_file))
    digest: Digest = ZERO_DIGEST
    if reason:
        digest = notes.keep(app.home / "access", f"denial-{number}", reason.encode("utf-8"))
    writer.deny_access(GrantId(number), digest)
    click.echo(f"access request {number} denied")


@access.command()
@click.argument("number", metavar="GRANT", type=int)
@account_options
@pass_app
def revoke(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Take a grant back; a consent under it ends at once."""
    writer = wiring.writer(app, Signer(account, password_file))
    writer.revoke_access(GrantId(number))
    click.echo(f"grant {number} revoked")


@access.command("list")
@click.option("--site", type=int, help="Only requests for this site's datasets.")
@json_option
@pass_app
def list_access(app: App, site: int | None, as_json: bool) -> None:
    """List requests for access and what became of them."""
    listings.access(app, site, as_json)
