"""`fednet checkpoint`: signed statements of what the chain said, against its rewriting."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import checkpoints, output, publishing, queries, wiring
from fednet.cli.app import App, Signer, account_options, example, json_option, pass_app
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import SiteId
from fednet.errors import SettingsError
from fednet.node.checkpoints import state


@click.group(
    epilog=example(
        "",
        "fednet checkpoint make 1",
        "fednet checkpoint show 1 > ours.jsonl",
        "fednet checkpoint import theirs.jsonl",
        "fednet audit 1",
    )
)
def checkpoint() -> None:
    """Signed statements of what the chain said.

    A node signs and keeps one by itself when rounds have become final; it covers
    all that came before. Exchange them with other members: who owns the chain can
    then not rewrite it unseen, because `fednet audit` compares it with every
    checkpoint that this home keeps.
    """


@checkpoint.command()
@click.argument("run", metavar="RUN", type=int)
@click.option("--block", type=click.IntRange(min=0), help="Sign for this block, not the latest.")
@account_options
@json_option
@pass_app
def make(
    app: App,
    run: int,
    block: int | None,
    account: str | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Sign what the chain says of RUN now, and keep it.

    With the account of a site's node it counts for everybody; with another it
    counts for this home. On a chain that may still reorganise its latest blocks,
    name a --block that is old enough.
    """
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    history = queries.history_of(reader, queries.require_run(reader, run))
    site, _ = reader.account(writer.address)
    is_node = site != 0 and reader.site(site).account == writer.address
    at = reader.head().number if block is None else block
    said = state(reader, site if is_node else SiteId(0), history, at)
    signed = writer.sign_checkpoint(said)
    checkpoints.book(app).append(signed)
    _show([signed], as_json)


@checkpoint.command(name="list")
@json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List what this home keeps; needs neither chain nor key."""
    _show(checkpoints.book(app).read(), as_json)


@checkpoint.command()
@click.argument("number", metavar="NUMBER", type=int)
@json_option
@pass_app
def show(app: App, number: int, as_json: bool) -> None:
    """Print a kept checkpoint as it was signed, to be handed to others."""
    signed = checkpoints.numbered(app, number)
    if as_json:
        output.emit_json(output.flat(signed, "statement"))
    else:
        click.echo(signed.to_bytes())


@checkpoint.command()
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--announce", is_flag=True, help="Tell the chain where it is; costs gas.")
@account_options
@json_option
@pass_app
def publish(
    app: App,
    number: int,
    announce: bool,
    account: str | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Put a kept checkpoint into the store.

    Announced on the chain, every audit finds it by itself.
    """
    blob = checkpoints.numbered(app, number).to_blob()
    with wiring.store(app) as store:
        commitment, locator = publishing.publish_text(store, blob.to_bytes())
    fields: dict[str, object] = {"commitment": commitment, "locator": locator}
    if announce:
        writer = wiring.writer(app, Signer(account, password_file))
        site = queries.own_site(wiring.reader(app), writer.address)
        fields["transaction"] = writer.announce(site, commitment, locator).transaction
    wiring.remark_if_store_stops(app)
    output.emit_values(fields, as_json)


@checkpoint.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_app
def verify(app: App, file: Path, as_json: bool) -> None:
    """Compare the checkpoints of FILE with the chain; ends with 1 if one is contradicted."""
    reader = wiring.reader(app)
    found = [checkpoints.compare(reader, each) for each in checkpoints.read_file(file)]
    output.emit_list(
        found, as_json, "checkpoints", ("checkpoint", "verdict", "detail"),
        lambda each: (each.subject, each.verdict, each.detail),
    )  # fmt: skip
    raise SystemExit(int(any(each.verdict == "contradicted" for each in found)))


@checkpoint.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def import_(app: App, file: Path) -> None:
    """Keep the checkpoints of FILE that somebody else made; their signatures must hold."""
    book = checkpoints.book(app)
    known = {each.to_bytes() for each in book.read()}
    found = checkpoints.read_file(file)
    for signed in found:
        checkpoints.verify(signed)
    new = [signed for signed in found if signed.to_bytes() not in known]
    if not new:
        raise SettingsError("nothing new", subject=str(file), hint="every one is kept already")
    for signed in new:
        book.append(signed)
    click.echo(f"kept {len(new)} of {len(found)}")


def _show(found: list[SignedCheckpoint], as_json: bool) -> None:
    if as_json:
        output.emit_json([output.flat(signed, "statement") for signed in found])
        return
    rows = [
        (number, said.site or "", signed.account, said.block, said.run, said.round,
         output.short(said.block_hash), output.when(said.time))
        for number, signed in enumerate(found, 1)
        for said in (signed.statement,)
    ]  # fmt: skip
    columns = ("number", "site", "account", "block", "run", "round", "hash", "signed")
    output.emit_table("checkpoints", columns, rows)
