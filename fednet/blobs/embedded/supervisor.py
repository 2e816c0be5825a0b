"""Keep one embedded node running: start, watch, restart, stop, by process id.

The child ends when this process ends, however that happens. It is started again
when it is found dead at the next use; connections asked for are dialled again.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from fednet.blobs.embedded.repo import write_swarm_key
from fednet.blobs.embedded.waiting import can_read
from fednet.blobs.rpc import Endpoint
from fednet.errors import SettingsError, StoreUnavailableError

DEFAULT_LISTEN = "/ip4/127.0.0.1/tcp/0"
DEFAULT_MEMORY_CAP_BYTES = 1536 * 1024**2
_START_TIMEOUT_SECONDS = 60.0
_STOP_TIMEOUT_SECONDS = 5.0
_ANSWER_CAP_BYTES = 64 * 1024


class EmbeddedNode:
    """Own the child process of one repository; safe to share between threads."""

    def __init__(
        self,
        repo: Path,
        *,
        swarm_key: bytes | None = None,
        listen: str = DEFAULT_LISTEN,
        memory_cap_bytes: int = DEFAULT_MEMORY_CAP_BYTES,
        is_brief: bool = False,
    ) -> None:
        """Prepare; the child starts at the first use.

        Args:
            swarm_key: 32 bytes; None when the repository has it already.
            listen: ``/ip4/HOST/tcp/PORT``, port 0 for any free one (kept from then
                on), or ``none`` for a site that only dials out.
            memory_cap_bytes: The child ends, and is started again, above this.
            is_brief: Whether nobody opens the repository again: the child is not waited for.
        """
        self._repo = repo
        self._arguments = ["--listen", listen, "--memory-cap-bytes", str(memory_cap_bytes)]
        self._is_brief = is_brief
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None
        self._closed = False
        try:
            repo.mkdir(parents=True, exist_ok=True, mode=0o700)
            if swarm_key is not None:
                write_swarm_key(repo, swarm_key)
        except OSError as exc:
            raise SettingsError(
                "cannot use the repository", subject=str(repo), actual=exc.strerror
            ) from exc

    @property
    def pid(self) -> int | None:
        """Process id of the child, while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def endpoint(self) -> Endpoint:
        """Return where the child answers, starting it when it does not run.

        Raises:
            SettingsError: Another node holds the repository, the port is taken, or
                there is no swarm key.
            StoreUnavailableError: The child did not start.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the embedded node is closed")
            if self._endpoint is None or self.pid is None:
                self._discard()
                self._endpoint = self._start()
            return self._endpoint

    def close(self) -> None:
        """Stop the child and wait until it is gone."""
        with self._lock:
            self._closed = True
            self._discard()

    def _start(self) -> Endpoint:
        command = [sys.executable, "-m", "fednet.blobs.embedded"]
        command += [str(self._repo.resolve()), *self._arguments]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            # Ctrl-C is for the parent, which stops the child in its own time.
            start_new_session=True,
        )
        answer = self._first_line()
        if "address" in answer:
            return Endpoint(answer["address"], (answer["user"], answer["password"]))
        code = self._discard()
        kind = SettingsError if code == SettingsError.exit_code else StoreUnavailableError
        raise kind(
            answer.get("error", "the embedded node did not start"),
            subject=answer.get("subject", str(self._repo)),
            hint=answer.get("hint", f"see {self._repo / 'node.log'}"),
        )

    def _first_line(self) -> dict[str, str]:
        assert self._process is not None
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        line = b""
        while not line.endswith(b"\n") and len(line) < _ANSWER_CAP_BYTES:
            left = deadline - time.monotonic()
            if left <= 0 or not can_read(handle, left):
                break
            block = os.read(handle, 4096)
            if not block:
                break
            line += block
        try:
            value = json.loads(line)
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

    def _discard(self) -> int | None:
        """End the child if there is one, and return its exit status."""
        process, self._process, self._endpoint = self._process, None, None
        if process is None:
            return None
        if self._is_brief:
            process.kill()
        with contextlib.suppress(BrokenPipeError):
            _close_pipes(process)
        try:
            return process.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def running_endpoint(repo: Path) -> Endpoint | None:
    """Find the endpoint of a node that another process of this user runs here."""
    try:
        value = json.loads((repo / "endpoint.json").read_text())
        os.kill(int(value["pid"]), 0)
        return Endpoint(str(value["address"]), (str(value["user"]), str(value["password"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _environment() -> Mapping[str, str]:
    # The child runs in the repository, so a relative search path would be lost.
    paths = [os.path.abspath(path) for path in sys.path]
    # Go's collector runs after every few blobs otherwise, at a tenth of the node's time.
    return {"GOGC": "400"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
