"""Say what a node does: structured events for a caller, one file for `node status`."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from fednet.domain.identity import RoundNumber, RunId, SiteId


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing a node did, waits for, or failed at."""

    run: RunId
    """0 when it concerns no run."""
    round: RoundNumber
    attempt: int
    phase: str
    act: str
    """Name of the act in lower case: train, submit, wait, error."""
    detail: str = ""
    retryable: bool = True
    """Whether the node tries again by itself."""


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Report to nobody."""


class StatusFile:
    """Keep the latest progress of every run in one JSON file, replaced whole."""

    def __init__(self, path: Path, site: SiteId) -> None:
        self._path = path
        self._site = site
        self._runs: dict[str, dict[str, object]] = {}
        self._lock = Lock()

    def __call__(self, progress: Progress) -> None:
        """Take in an event; a disk that refuses does not stop the node."""
        with self._lock, contextlib.suppress(OSError):
            entry = asdict(progress) | {"seconds": int(time.time())}
            self._runs[str(entry.pop("run"))] = entry
            status = {"site": self._site, "process": os.getpid(), "runs": self._runs}
            temporary = self._path.with_suffix(".part")
            temporary.write_text(json.dumps(status, sort_keys=True), "utf-8")
            temporary.replace(self._path)
