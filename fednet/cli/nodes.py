"""Run this site's node with a face: a live round table, or lines; and tell its status."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from fednet.cli import (
    amounts,
    home,
    node_wiring,
    output,
    queries,
    reviewing,
    rounds_view,
    watching,
    wiring,
)
from fednet.cli.app import App, Signer
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.node import Progress, StatusFile, run_until_signal

_LOOK_SECONDS = 0.5
_RECENT_LINES = 6
_LOG_SIZE_BYTES = 5 << 20


class _Screen:
    """Show progress as it comes; called from the node's threads."""

    def __init__(self, reader: LedgerReader, status: StatusFile, live: Live | None) -> None:
        self._reader = reader
        self._status = status
        self._live = live
        self._last: dict[RunId, Progress] = {}
        self._recent: list[str] = []
        self._looked = 0.0
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        """Take in one thing that the node did."""
        self._status(progress)
        with self._lock:
            if self._last.get(progress.run) == progress:
                return
            self._last[progress.run] = progress
            line = _line(progress)
            if self._live is None:
                output.say(line)
                return
            self._recent = [*self._recent, line][-_RECENT_LINES:]
            self._draw(self._live, progress.run)

    def _draw(self, live: Live, run: RunId) -> None:
        if not run or time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        # A table that is late is better than a node that stops for it.
        with suppress(FednetError):
            view = watching.look(self._reader, run)
            title = f"run {run}: {view.state.phase.name.lower()}"
            table = rounds_view.table_of(view.rows, title)
            live.update(Group(table, *(Text(line) for line in self._recent)))


def run(app: App, signer: Signer, *, needs_data: bool = True) -> None:
    """Run the node until a signal comes.

    Raises:
        SettingsError: The account is no site's node, or no data is registered and some is needed.
    """
    console = output.progress_console()
    site = SiteId(app.settings().site.id)
    reader = wiring.reader(app)
    _status_path(app).parent.mkdir(parents=True, exist_ok=True)
    status = StatusFile(_status_path(app), site)
    _log_to(app.home / "log" / "node.log", app.settings().node.log_level)
    live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
    screen = _Screen(reader, status, live)
    with wiring.own_store(app) as blobs:
        node, close = node_wiring.node(app, signer, blobs, screen, needs_data=needs_data)
        try:
            output.say(f"node of site {site} runs; Ctrl-C stops it")
            _tell_faults_of_threads(app.verbose)
            if live is None:
                run_until_signal(node)
            else:
                with live:
                    run_until_signal(node)
        finally:
            # The node's threads are left where they are; what they meet while the
            # store closes under them concerns nobody.
            threading.excepthook = lambda _: None
            close()
    output.say("stopped; start it again at any time")


def status(app: App) -> dict[str, object]:
    """Tell who this site is, and what its node did last."""
    stored = app.settings()
    reader = wiring.reader(app)
    account = wiring.keystore_address(home.chosen_keystore(app, None))
    site, roles = reader.account(account)
    found: dict[str, object] = {"account": account, "site": site, "roles": roles}
    if site:
        found["name"] = queries.names(reader).get(site, "")
        found["standing"] = reader.site(site).standing
    found["balance"] = f"{amounts.to_ether(reader.balance_wei(account))} ether"
    found["dataset"] = stored.data.dataset or None
    found["data"] = stored.data.path
    waiting = len(reviewing.entries(app, waiting=True, site=site)) if site else None
    found["waiting at the airlock"] = waiting
    latest = _read_status(_status_path(app))
    found["running"] = latest.get("process") if _is_alive(latest.get("process")) else None
    found["runs"] = latest.get("runs", {})
    return found


def _log_to(path: Path, level: str) -> None:
    """Keep what the node's parts say in a file, which rolls over."""
    handler = RotatingFileHandler(path, maxBytes=_LOG_SIZE_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("fednet")
    logger.setLevel(level.upper())
    logger.addHandler(handler)
    logger.propagate = False


def _tell_faults_of_threads(verbose: bool) -> None:
    """Tell a fault of our own in one line; the node goes on with its other threads."""
    before = threading.excepthook

    def tell(fault: threading.ExceptHookArgs) -> None:
        if verbose:
            before(fault)
        name = fault.thread.name if fault.thread else "a thread"
        output.say(f"error: internal fault in {name}: {fault.exc_type.__name__}: {fault.exc_value}")

    threading.excepthook = tell


def _line(progress: Progress) -> str:
    where = f"run {progress.run} round {progress.round}: " if progress.run else ""
    return f"{where}{progress.act}" + (f": {progress.detail}" if progress.detail else "")


def _status_path(app: App) -> Path:
    return app.home / "log" / "status.json"


def _read_status(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(process: object) -> bool:
    return isinstance(process, int) and Path(f"/proc/{process}").exists()
