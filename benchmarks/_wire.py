"""Count what a blob costs on the wire between two Kubo nodes, everything included."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from fednet.blobs import NO_LISTEN, EmbeddedStore, new_swarm_key
from fednet.domain.identity import Commitment

_QUIET_SECONDS = 0.5
_FETCH_SECONDS = 30.0


class CountingProxy:
    """Pass TCP connections on to a port of this machine, and count the bytes both ways."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._bytes = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def count(self) -> int:
        """Count the bytes so far, in both directions."""
        with self._lock:
            return self._bytes

    def close(self) -> None:
        """End every connection."""
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                left, _ = self._listener.accept()
            except OSError:
                return
            right = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [left, right]
            for source, target in ((left, right), (right, left)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                with self._lock:
                    self._bytes += len(data)
                target.sendall(data)
        except OSError:
            return


class Wire:
    """Two Kubo nodes of a private swarm that only reach one another through a counter."""

    def __init__(self, folder: Path) -> None:
        key = new_swarm_key()
        self._giver = EmbeddedStore(folder / "giver", folder / "giver-cache", swarm_key=key)
        self._taker = EmbeddedStore(
            folder / "taker", folder / "taker-cache", swarm_key=key, listen=NO_LISTEN
        )
        address = self._giver.address()
        found = re.search(r"/ip4/[0-9.]+/tcp/(\d+)", address)
        if found is None:
            raise RuntimeError(f"no TCP port in {address}")
        self._proxy = CountingProxy(int(found[1]))
        self._taker.connect([address.replace(found[0], f"/ip4/127.0.0.1/tcp/{self._proxy.port}")])
        self._rest()

    def cost_bytes(self, *paths: Path) -> int:
        """Publish files at one node, fetch them at the other, and return what went over the wire.

        A node fetches the same bytes only once.
        """
        blobs = [(self._giver.publish(path), path.read_bytes()) for path in paths]
        before = self._rest()
        for locator, data in blobs:
            self._taker.fetch(Commitment.of(data), [locator], len(data), _FETCH_SECONDS)
        return self._rest() - before

    def close(self) -> None:
        """Stop both nodes."""
        for each in (self._taker, self._giver, self._proxy):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rest(self) -> int:
        """Wait until nothing moves, and return the count."""
        count, since = self._proxy.count, time.monotonic()
        while time.monotonic() - since < _QUIET_SECONDS:
            time.sleep(0.02)
            if self._proxy.count != count:
                count, since = self._proxy.count, time.monotonic()
        return count
