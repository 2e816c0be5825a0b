"""A process that outlives the command that started it, known again by more than its id.

An id is used again after a while; the moment of the process's start and of the
machine's are kept beside it, so that no other process is ever signalled.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.02
_STATE_FIELD, _START_FIELD = 0, 19
"""Positions after the command's name in /proc/PID/stat; see proc(5)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process on this machine."""

    pid: int
    started: str
    """Boot of the machine and clock ticks from there to the process's start."""

    @property
    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # it may be ours, and a zombie
        return _started(self.pid) == self.started

    def stop(self, patience_seconds: float) -> None:
        """End the process, by force after the time given for an orderly end."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_alive:
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, how)
            until = time.monotonic() + patience_seconds
            while self.is_alive and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)


def start_detached(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a process in a session of its own, with its output at the end of a file.

    Raises:
        OSError: The program or the file cannot be opened.
    """
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), appending, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process(pid, _started(pid))


def _started(pid: int) -> str:
    """Identify the process that has this id now; empty if none runs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return ""
    # The first thread may be gone while others still hold the port and the files.
    ended = fields[_STATE_FIELD] in "ZX" and threads <= 1
    return "" if ended else f"{boot}/{fields[_START_FIELD]}"
