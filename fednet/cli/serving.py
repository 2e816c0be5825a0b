"""Keep a home's store running outside a node: in front, or in the background.

While it runs it mirrors what the ledger names, so that sites that only dial
out can hand bytes to each other through it. It signs nothing.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.cli import home, mirroring, output, settings, sweeping, wiring
from fednet.cli.app import App
from fednet.errors import FednetError, SettingsError, StoreUnavailableError

if TYPE_CHECKING:
    from fednet.ledger.chains.processes import Process

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_TICK_SECONDS = 0.1
_SERVING = "serving at "
"""Begins the line that says so."""


def choose_listen(app: App, listen: str | None) -> None:
    """Keep a listen address given on the command line."""
    if listen is not None:
        app.update({"store": {"listen": listen}})


def serve(app: App) -> None:
    """Serve until a signal comes."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with wiring.own_store(app) as store:
        output.say(f"{_SERVING}{store.address() or 'no address: dialling out only'}")
        if app.path(app.settings().chain.deployment).exists():
            reader, poll_seconds = wiring.reader(app), app.settings().node.poll_seconds
            sweeper = sweeping.sweeper(app, reader, store)
            mirroring.mirror(reader, store, sweeper, poll_seconds, stop)
        stop.wait()
    output.say("stopped")


def start(app: App) -> str:
    """Start serving in the background; return the store's address.

    Raises:
        SettingsError: A store of this home runs already.
        StoreUnavailableError: It did not come up.
    """
    if wiring.is_store_running(app) or ((before := _process(app)) and before.is_alive):
        raise SettingsError(
            "a store of this home runs already",
            subject=str(app.home),
            hint="`fednet store status` shows it; a running node has its own",
        )
    if not app.settings().store.rpc:
        home.swarm_key(app)
    log = app.home / "log" / "store.log"
    settings.write_durably(log, b"", private=True)
    command = [sys.executable, "-m", "fednet.cli", "--home", str(app.home), "store", "run"]
    process = wiring.start_detached(command, log)
    settings.write_durably(
        _notes(app), json.dumps([process.pid, process.started]).encode("ascii"), private=True
    )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.is_alive:
        # A daemon of somebody else's answers whether or not it is served beside.
        if _SERVING in log.read_text("utf-8", "replace"):
            with suppress(FednetError), wiring.running_store(app) as store:
                return store.address()
        time.sleep(_TICK_SECONDS)
    process.stop(_STOP_SECONDS)
    _notes(app).unlink(missing_ok=True)
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    raise StoreUnavailableError(
        "the store did not start",
        actual=(told or lines or ["no word"])[-1],
        hint="; ".join([*hints[-1:], f"see {log}"]),
    )


def stop(app: App) -> bool:
    """Stop a store that `start` started; tell whether one ran."""
    process = _process(app)
    if process is None:
        return False
    _notes(app).unlink(missing_ok=True)
    ran = process.is_alive
    process.stop(_STOP_SECONDS)
    return ran


def _process(app: App) -> Process | None:
    """Return the process that `start` started last; None if none is known."""
    try:
        pid, started = json.loads(_notes(app).read_text("ascii"))
        return wiring.detached(int(pid), str(started))
    except (OSError, ValueError, TypeError):
        return None


def _notes(app: App) -> Path:
    """Name the file that says which process serves; an id alone is used again by others."""
    return app.home / "store.process"
