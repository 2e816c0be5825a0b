"""`fednet explorer`: look at the network in a browser."""

from __future__ import annotations

import ipaddress
import webbrowser
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fednet.cli import auditing, home, output, wiring
from fednet.cli.app import App, Signer, account_options, example, pass_app

if TYPE_CHECKING:
    from fednet.domain.blobs import BlobStore
    from fednet.domain.ports import LedgerReader
    from fednet.explorer import Kept


@click.command(
    epilog=example(
        "",
        "fednet explorer --open",
    )
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; anything but loopback lets others read along.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8400,
    show_default=True,
    help="0 takes any free one.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--with-key",
    is_flag=True,
    help="Let *verify now* open sealed blobs with this home's encryption key; shows verdicts only.",
)
@account_options
@pass_app
def explorer(
    app: App,
    host: str,
    port: int,
    show: bool,
    with_key: bool,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Look at the network in a browser: runs, rounds, sites, lineage, verdicts.

    Read-only, for anybody who can reach chain and store; needs no key. Runs
    until it is interrupted.
    """
    signer = Signer(account, password_file) if with_key else None
    from fednet.explorer import Server, Window, create_app, listen, url_of

    home.require_deployment(app)
    fetch_seconds = app.settings().store.timeout_seconds
    listening = listen(host, port)
    with closing(listening), wiring.store(app) as store, wiring.index(app) as index:
        reader = wiring.reader(app)
        if signer is not None:
            signer.password(app)  # asked for before anybody can start a replay

        def kept() -> Kept:
            return _kept(app, reader, store, signer)

        window = Window(reader, store, index, fetch_seconds, kept)
        with closing(window):
            window.start()
            url = url_of(listening)
            click.echo(url)
            if not _is_loopback(listening.getsockname()[0]):
                output.say("note: whoever reaches this port can read along and start replays")
            output.say("press Ctrl-C to end")
            if show:
                webbrowser.open(url)
            Server(create_app(window, host)).serve_on(listening)
    output.say("stopped")


def _kept(app: App, reader: LedgerReader, store: BlobStore, signer: Signer | None) -> Kept:
    """Read what `fednet audit` would compare the chain with, recall rounds from, and open with."""
    from fednet.explorer import Kept

    options = auditing.Options.gather(app, (), afresh=False, signer=signer)
    return Kept(
        options.checkpoints,
        options.trusted,
        auditing.memory_dir(app),
        lambda run: options.keys(app, reader, store, run),
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
