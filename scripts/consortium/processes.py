"""Start processes and leave none behind, whatever ends the demo.

Everything that is started, daemons of daemons included, stays our descendant:
a process whose parent ends is handed to us instead of to init. At the end each
one that is left is stopped, by its own id. A guard does the same for a demo
that is killed outright; it knows the processes by the home they work in.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_CHILD_SUBREAPER = 36
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 5.0
_TICK_SECONDS = 0.02


class Interrupted(Exception):
    """A signal asked the demo to end."""


@contextlib.contextmanager
def nothing_left_behind(folder: Path) -> Iterator[None]:
    """Stop, at the end, every process that was started and is left.

    Args:
        folder: Holds the homes of everything that is started.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    guard = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        stop_descendants(besides={guard.pid})
        if guard.stdin is not None:
            guard.stdin.close()
        guard.wait()


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a process whose words go to a log."""
    with log.open("ab") as sink:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )


def stop_descendants(besides: set[int] | None = None) -> None:
    """Stop every process below this one, however deep."""

    def left() -> set[int]:
        _reap(besides or set())
        return descendants(os.getpid()) - (besides or set())

    _stop(left)


def descendants(root: int) -> set[int]:
    """List the running processes below one, however deep."""
    parents = dict(_running())
    found: set[int] = set()
    grown = {root}
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def at_home_in(folder: Path) -> set[int]:
    """List the running processes that work in a folder: FEDNET_HOME or an argument names it."""
    marks = (f"FEDNET_HOME={folder}{os.sep}".encode(), f"{folder}{os.sep}".encode())
    found = set()
    for pid, _ in _running():
        with contextlib.suppress(OSError):
            process = Path("/proc", str(pid))
            words = (process / "environ").read_bytes().split(b"\0")
            words += (process / "cmdline").read_bytes().split(b"\0")
            if any(word.startswith(marks) for word in words):
                found.add(pid)
    return found


def _stop(left: Callable[[], set[int]]) -> None:
    """Ask processes to end, wait, and kill those that do not."""
    for number, patience in ((signal.SIGTERM, _PATIENCE_SECONDS), (signal.SIGKILL, 2.0)):
        told: set[int] = set()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            now = left()
            if not now:
                return
            for pid in now - told:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            told |= now
            time.sleep(_TICK_SECONDS)


def _running() -> Iterator[tuple[int, int]]:
    """Yield id and parent of every process that has not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError):
                # The name in brackets may hold anything; what follows it is fixed.
                fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if fields[0] != "Z":
                    yield int(entry.name), int(fields[1])


def _reap(besides: set[int]) -> None:
    """Take leave of children that have ended."""
    for entry in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            for pid in map(int, (entry / "children").read_text("ascii").split()):
                if pid not in besides:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(signal.Signals(number).name)


def _guard(folder: Path) -> None:
    """Wait until the demo is gone, then stop what works in its folder."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    _stop(lambda: at_home_in(folder) - {os.getpid()})


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
