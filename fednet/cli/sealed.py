"""`fednet sealed`: the keys to sealed blobs, asked for, granted, taken back, used."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import applying, home, output, publishing, queries, unsealing, wiring
from fednet.cli.app import App, Signer, account_options, example, pass_app
from fednet.domain.identity import CONSORTIUM, Digest, ReaderId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import SettingsError
from fednet.privacy.sealing import GrantPlace, write_grant

_KEY_SIZE_BYTES = 32


@click.group(
    epilog=example(
        "an auditor, then a member, then the auditor",
        "fednet sealed key",
        "fednet sealed grant 1 --reader 0x... --reader-key KEY",
        "fednet audit 1 --with-key",
    )
)
def sealed() -> None:
    """Sealed blobs: who may read them, and reading them."""


@sealed.command()
@account_options
@pass_app
def key(app: App, account: str | None, password_file: Path | None) -> None:
    """Print this home's public encryption key, made if it has none."""
    keys = applying.encryption_keys(app, Signer(account, password_file))
    home.make(app)
    click.echo(keys.public_key().hex())


@sealed.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--reader", "to", required=True, help="Account of whoever shall read.")
@click.option("--reader-key", "public_key", required=True, help="What `fednet sealed key` told it.")
@account_options
@pass_app
def grant(
    app: App, number: int, to: str, public_key: str, account: str | None,
    password_file: Path | None,
) -> None:  # fmt: skip
    """Grant a reader the keys to RUN's sealed blobs so far, on the record.

    In the home of a site that took part, or that added encrypted updates. Blobs
    of later rounds need another grant.
    """
    signer = Signer(account, password_file)
    reader, writer = wiring.reader(app), wiring.writer(app, signer)
    run, address, public = queries.require_run(reader, number), wiring.address(to), _key(public_key)
    site = _granting_site(reader, writer)
    with wiring.store(app) as store:
        with output.working("gathering the keys"):
            keys = unsealing.gather_keys(app, signer, reader, store, run)
        place = GrantPlace(reader.deployment.chain_id, reader.run(run).module, run, site)
        letter = publishing.publish_text(store, write_grant(keys, place, public))
        receipt = writer.admit_reader(run, site, address, Digest(public), letter)
    wiring.remark_if_store_stops(app)
    click.echo(f"reader {receipt.created} may read {len(keys)} blobs of run {run}")


@sealed.command()
@click.argument("number", metavar="READER", type=int)
@account_options
@pass_app
def dismiss(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Record that READER shall read no more; keys that it has, it has."""
    reader, writer = wiring.reader(app), wiring.writer(app, Signer(account, password_file))
    writer.dismiss_reader(ReaderId(number), _granting_site(reader, writer))
    click.echo(f"reader {number} is dismissed; later rounds have other keys")


@sealed.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--round", "wanted", type=click.IntRange(1), help="Final round; default the latest.")
@click.option(
    "--output", "-o", "target", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="File for the state, as safetensors.",
)  # fmt: skip
@account_options
@pass_app
def state(
    app: App, number: int, wanted: int | None, target: Path, account: str | None,
    password_file: Path | None,
) -> None:  # fmt: skip
    """Open the global model of RUN into a file, with the keys of this home."""
    reader = wiring.reader(app)
    run, signer = queries.require_run(reader, number), Signer(account, password_file)
    with wiring.store(app) as store:
        final, data = unsealing.open_state(app, signer, reader, store, run, wanted)
    home.write_new(target, data)
    click.echo(f"wrote {target}: round {final.round} of run {run}, sealed as {final.state}")


def _granting_site(reader: LedgerReader, writer: LedgerWriter) -> SiteId:
    """Return the site that the account acts for; the operator acts for none."""
    return reader.account(writer.address)[0] or CONSORTIUM


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE_BYTES:
        raise SettingsError(
            "not an encryption key",
            subject=text[:80],
            expected=f"{2 * _KEY_SIZE_BYTES} hexadecimal digits",
            hint="whoever shall read sees it with `fednet sealed key`",
        )
    return key
