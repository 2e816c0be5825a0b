"""`fednet explorer`: look at the network in a browser."""

from __future__ import annotations

import ipaddress
import webbrowser
from contextlib import closing
from typing import TYPE_CHECKING

import click

from fednet.cli import auditing, home, output, wiring
from fednet.cli.app import App, example, pass_app

if TYPE_CHECKING:
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
@pass_app
def explorer(app: App, host: str, port: int, show: bool) -> None:
    """Look at the network in a browser: runs, rounds, sites, lineage, verdicts.

    Read-only, for anybody who can reach chain and store; needs no key. Runs
    until it is interrupted.
    """
    from fednet.explorer import Server, Window, create_app, listen, url_of

    home.require_deployment(app)
    fetch_seconds = app.settings().store.timeout_seconds
    listening = listen(host, port)
    with closing(listening), wiring.store(app) as store, wiring.index(app) as index:
        window = Window(wiring.reader(app), store, index, fetch_seconds, lambda: _kept(app))
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


def _kept(app: App) -> Kept:
    """Read what `fednet audit` would compare the chain with, and where it recalls rounds from."""
    from fednet.explorer import Kept

    options = auditing.Options.gather(app, (), afresh=False)
    return Kept(options.checkpoints, options.trusted, auditing.memory_dir(app))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
