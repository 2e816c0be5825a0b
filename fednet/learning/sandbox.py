"""Hold a visiting task in a child process, and talk to it under deadlines.

The child encloses itself (see `visitor` and `walls`) before it imports any
code that is not fednet's, and reports which walls stand; a missing essential
wall sends the task away unless the site's settings accept that by name. From
then on nothing it says is believed: every read has a cap and a deadline, and
while it works this side watches its memory, threads and scratch folder.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import IO, cast

import fednet
from fednet.errors import MalformedBlobError, SettingsError, TaskError
from fednet.learning import wire
from fednet.learning.values import Limits
from fednet.learning.walls.report import WALL_NAMES, Wall, WallName, missing_essentials

_TICK_SECONDS = 0.1
_CHUNK_BYTES = 1 << 20
_LOG_TAIL_BYTES = 1500


class Sandbox:
    """Run one visitor behind walls; `open` it, `exchange` frames, `close` it."""

    def __init__(
        self,
        readable: Collection[Path],
        limits: Limits,
        without_walls: Collection[WallName] = (),
        folder: Path | None = None,
    ) -> None:
        self._readable = tuple(readable)
        self._limits = limits
        self._without_walls = tuple(without_walls)
        self._parent_folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._log: IO[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._next_watch = 0.0
        self._received = bytearray()
        self._halt: Event | None = None
        self.walls: tuple[Wall, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def open(self) -> None:
        """Start the child and wait until its walls stand.

        Raises:
            SettingsError: An essential wall is missing on this machine.
            TaskError: The child did not come up.
        """
        self.close()
        self._folder = tempfile.TemporaryDirectory(
            prefix="fednet-task-", dir=self._parent_folder, ignore_cleanup_errors=True
        )
        self._log = tempfile.TemporaryFile(dir=self._parent_folder)  # noqa: SIM115 - closed by close()
        theirs, self._lifeline = os.pipe()
        try:
            self._next_watch = 0.0
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", "-m", "fednet.learning.visitor"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=self._folder.name,
                env=_environment(self._folder.name),
                pass_fds=(theirs,),
                start_new_session=True,
                bufsize=0,
            )
            for descriptor in self._pipes():
                os.set_blocking(descriptor, False)
                with suppress(OSError):  # above what this user may take, it stays as it is
                    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
            report, _ = self.exchange(self._opening(theirs), b"", self._limits.start_seconds)
            self.walls = _read_walls(report)
            require_walls(self.walls, self._without_walls)
        except OSError as exc:
            self.close()
            raise TaskError("the task's process did not start", actual=exc.strerror) from exc
        except BaseException:
            self.close()
            raise
        finally:
            os.close(theirs)

    def exchange(
        self, message: wire.Message, payload: bytes, seconds: float, halt: Event | None = None
    ) -> tuple[wire.Message, bytes]:
        """Send one frame and wait for the answer; a child that misbehaves is ended.

        Args:
            message: What is asked.
            payload: The tensors that go with it.
            seconds: How long the answer may take.
            halt: Ends the child, with its work undone, soon after it is set.

        Raises:
            TaskError: Out of time, memory, threads or space; ended; halted; or spoke nonsense.
        """
        self._halt = halt
        deadline = time.monotonic() + seconds
        try:
            self._received.clear()
            self._send(b"".join(wire.pack(message, payload)), deadline)
            head = self._receive(wire.LENGTHS_SIZE_BYTES, deadline)
            lengths = wire.unpack_lengths(head, self._limits.tensors_bytes)
            text = self._receive(lengths[0], deadline)
            return wire.unpack_message(text), self._receive(lengths[1], deadline)
        except MalformedBlobError as exc:
            self.close()
            raise TaskError("the task spoke nonsense", actual=exc) from exc
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child with everything it may have started, and its scratch folder."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _opening(self, lifeline: int) -> wire.Message:
        readable = [*self._readable, *_runtime_paths()]
        return {
            "lifeline": lifeline,
            "readable": [str(path) for path in readable],
            "writable": [str(self._scratch())],
            "memory_bytes": self._limits.memory_bytes,
            "cpu_seconds": self._limits.cpu_seconds,
            "file_size_bytes": self._limits.scratch_bytes,
        }

    def _scratch(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the sandbox is not open")
        return Path(self._folder.name)

    def _pipes(self) -> tuple[int, int]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("the sandbox is not open")
        return process.stdin.fileno(), process.stdout.fileno()

    def _send(self, data: bytes, deadline: float) -> None:
        descriptor, rest = self._pipes()[0], memoryview(data)
        while rest:
            self._wait(descriptor, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(descriptor, rest[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._ended() from None

    def _receive(self, size: int, deadline: float) -> bytes:
        """Take the next bytes; what came with them waits for the next call."""
        descriptor, data = self._pipes()[1], self._received
        while len(data) < size:
            self._wait(descriptor, select.POLLIN, deadline)
            try:
                chunk = os.read(descriptor, _CHUNK_BYTES)
            except BlockingIOError:
                continue
            if not chunk:
                raise self._ended()
            data += chunk
        taken = bytes(memoryview(data)[:size])
        del data[:size]
        return taken

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        poller = select.poll()
        poller.register(descriptor, event)
        while True:
            if self._halt is not None and self._halt.is_set():
                raise TaskError("the task was halted: nobody needs its answer", subject="process")
            now = time.monotonic()
            if now >= deadline:
                raise TaskError(
                    "the task ran out of time",
                    subject="time",
                    hint="raise the request limit in the node's settings, or train on less",
                )
            if now >= self._next_watch:
                self._watch()
                self._next_watch = now + _TICK_SECONDS
            if poller.poll(1000 * min(_TICK_SECONDS, deadline - now)):
                return

    def _watch(self) -> None:
        """Look at what the child uses from outside, where it cannot lie."""
        process = self._process
        if process is None:
            raise RuntimeError("the sandbox is not open")
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        resident = int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
        used = (
            ("memory", resident, self._limits.memory_bytes),
            ("threads", int(fields.get("Threads", "1")), self._limits.threads),
            ("scratch", _size_bytes(self._scratch()), self._limits.scratch_bytes),
        )
        for subject, actual, limit in used:
            if actual > limit:
                raise TaskError(
                    "the task took more than it may", subject=subject, expected=limit, actual=actual
                )

    def _ended(self) -> TaskError:
        """Say how the child ended and what it said last."""
        process, log = self._process, self._log
        if process is None or log is None:
            raise RuntimeError("the sandbox is not open")
        try:
            code: int | None = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = None
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _LOG_TAIL_BYTES))
        last = wire.plain_text(log.read().decode("utf-8", "replace"), _LOG_TAIL_BYTES)
        how = "it closed its pipe" if code is None else f"exit status {code}"
        if code is not None and code < 0:
            how = signal.strsignal(-code) or f"signal {-code}"
        return TaskError(
            "the task's process ended before it answered",
            subject="process",
            actual=f"{how}; it last said: {last}" if last else how,
            hint="it may have been stopped by a wall or a limit; the next request starts it afresh",
        )


def require_walls(walls: Collection[Wall], without_walls: Collection[WallName]) -> None:
    """Refuse to let a task in where an essential wall is missing.

    Raises:
        SettingsError: One is, and the settings do not accept that by name.
    """
    missing = [name for name in missing_essentials(walls) if name not in without_walls]
    if missing:
        reasons = {wall.name: wall.reason for wall in walls}
        raise SettingsError(
            "this machine cannot hold a visiting task in",
            subject=", ".join(missing),
            expected="a standing wall",
            actual="; ".join(reasons.get(name, "not reported") for name in missing),
            hint="run a newer kernel, or accept the missing wall by name in the settings "
            "if you trust the task's authors with this machine",
        )


def probe_walls() -> tuple[Wall, ...]:
    """Put the walls up around an empty child and report which stand, for `fednet doctor`.

    Raises:
        TaskError: The child did not come up.
    """
    sandbox = Sandbox((), Limits(), WALL_NAMES)
    try:
        sandbox.open()
        return sandbox.walls
    finally:
        sandbox.close()


def _environment(scratch: str) -> dict[str, str]:
    """Give the child names it needs and nothing of ours."""
    single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    return {
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(Path(fednet.__file__).parent.parent),
        **single,
    }


def _runtime_paths() -> list[Path]:
    paths = sysconfig.get_paths()
    found = {Path(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {Path(entry) for entry in sys.path if entry.endswith(("-packages", "lib-dynload"))}
    found |= {Path(sys.base_prefix) / "lib", Path(fednet.__file__).parent}
    return sorted(found)


def _read_walls(report: wire.Message) -> tuple[Wall, ...]:
    listed = report.get("walls")
    if not isinstance(listed, list):
        raise TaskError("the task's process did not report its walls")
    return tuple(
        Wall(cast("WallName", name), stands is True, wire.plain_text(reason))
        for name, stands, reason in listed
        if name in WALL_NAMES
    )


def _size_bytes(folder: Path) -> int:
    """Add up a folder as far as it can be read; a task may be changing it."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
    return total
