"""A network namespace that can dial a few ports outside, and that nothing can dial into.

The namespace has a loopback of its own and no other interface. What connects to
one of the named ports inside is carried over a UNIX socket to the same port of
the outer loopback: connections are opened from inside, never from outside. Where the end
inside is reset, the end outside is not told, as behind a firewall that forgot it.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41


@contextmanager
def closed_network(folder: Path, ports: list[int]) -> Iterator[tuple[str, ...]]:
    """Yield the words under which a command runs inside.

    Args:
        folder: Short path for the sockets.
        ports: Ports of the outer loopback that can be dialled from inside.
    """
    with ExitStack() as ends:
        for port in ports:
            ends.enter_context(_serving(_unix(folder / str(port)), _to_loopback(port)))
        process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", sys.executable, __file__,
             str(folder), *map(str, ports)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            target = f"--target={process.pid}"
            yield ("nsenter", target, "--user", "--net", "--preserve-credentials", "--")
        finally:
            process.stdin.close()
            process.wait(timeout=20)
            process.stdout.close()


def _inside(folder: Path, ports: list[int]) -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    with ExitStack() as ends:
        for port in ports:
            ends.enter_context(_serving(_loopback(port), _to_unix(folder / str(port))))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


def _unix(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    return listening


def _loopback(port: int) -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", port))
    return listening


def _to_loopback(port: int) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", port))


def _to_unix(path: Path) -> Callable[[], socket.socket]:
    def dial() -> socket.socket:
        dialled = socket.socket(socket.AF_UNIX)
        dialled.connect(str(path))
        return dialled

    return dial


@contextmanager
def _serving(listening: socket.socket, dial: Callable[[], socket.socket]) -> Iterator[None]:
    """Carry every connection to another end until the block ends."""
    listening.listen(64)
    open_ends: set[socket.socket] = set()

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            try:
                far = dial()
            except OSError:
                near.close()
                continue
            open_ends.update((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(source, sink), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(timeout=5)
        for end in open_ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    _inside(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]])
