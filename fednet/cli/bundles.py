"""Write a run into a bundle, and audit one without a network."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fednet.cli import output, wiring
from fednet.cli.app import App
from fednet.domain.checkpoint import COMMITMENT_MARK
from fednet.domain.identity import Digest, RunId
from fednet.errors import VerificationError

if TYPE_CHECKING:
    from fednet.audit import AuditReport
    from fednet.cli.auditing import Options
    from fednet.ledger.bundle.export import Exported
    from fednet.ledger.reader import Web3Reader

SUFFIX = ".fednet"


class Pin(click.ParamType[tuple[int, Digest]]):
    """A block's number and hash, as in ``2041:0x5f0c...``."""

    name = "number:hash"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, Digest]:
        """Read the two, or refuse."""
        number, separator, text = str(value).partition(":")
        try:
            if separator and number.isdecimal():
                return int(number), Digest(text)
            reason = "no number before a colon"
        except VerificationError as exc:
            reason = exc.message
        raise click.BadParameter(f"{value!r} is not NUMBER:HASH: {reason}", ctx, param)


PIN = Pin()


def audit(app: App, path: Path, options: Options) -> AuditReport:
    """Audit a bundle; asks no chain and no store.

    Raises:
        MalformedBlobError: It is damaged, or no bundle.
    """
    from fednet.audit import audit_run
    from fednet.blobs.bundled import BundledStore
    from fednet.ledger.bundle.reader import BundleReader

    reader = BundleReader(path)
    with closing(BundledStore(reader.spans())) as store, output.counting("rounds audited") as count:
        return audit_run(
            reader,
            store,
            reader.run_id,
            progress=count,
            checkpoints=options.checkpoints,
            trusted=options.trusted,
            pins=options.pins,
            keys=options.keys(app, reader, store, reader.run_id),
            shared_key=options.shared_key(app, reader, store, reader.run_id),
        )


def export(
    app: App, reader: Web3Reader, run: RunId, path: Path, with_blobs: bool, force: bool
) -> Exported:
    """Write a bundle of a run, telling how far it is."""
    from fednet.ledger.bundle.export import export_run

    fetch_seconds = app.settings().store.timeout_seconds
    with output.counting("blobs written") as count:
        if not with_blobs:
            return export_run(
                reader, run, path, None, fetch_seconds=fetch_seconds, force=force, progress=None
            )
        with wiring.store(app) as store:
            return export_run(
                reader,
                run,
                path,
                store,
                fetch_seconds=fetch_seconds,
                force=force,
                kept_with=COMMITMENT_MARK,
                progress=count,
            )


def show(exported: Exported) -> None:
    """Say what was written, and what of it is missing or proves nothing."""
    head = exported.head
    if exported.without_blobs:
        click.echo(f"without blobs: {len(exported.missing)} are named by their commitments only")
    for entry in exported.missing if not exported.without_blobs else ():
        need = "needed to verify a final round" if entry.needed else "not needed to verify"
        click.echo(f"missing: {entry.what} ({entry.commitment}), {need}")
    if exported.unproven:
        click.echo(f"unproven on this chain: {exported.unproven}")
    click.echo(f"{exported.path}: {exported.size_bytes} bytes, up to block {head.number}")
    click.echo(f"to pin it: --pin {head.number}:0x{head.block_hash.hex()}")


def to_json(exported: Exported) -> dict[str, object]:
    """Return what was written in the stable form of ``--json``."""
    return {
        "path": str(exported.path),
        "size_bytes": exported.size_bytes,
        "block": exported.head.number,
        "block_hash": str(exported.head.block_hash),
        "unproven": exported.unproven,
        "complete": exported.complete,
        "missing": [entry.model_dump() for entry in exported.missing],
    }
