"""Sit between two parties on loopback, pass every byte on, and keep a copy of each.

What is heard is kept by connection and direction, so that nothing is torn apart by what
goes the other way. Nothing is decrypted, and nothing is altered but for the authorization
that a store wants and its callers cannot give: that is added behind the recording.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from fednet.blobs.rpc import Endpoint

_BLOCK_SIZE_BYTES = 1 << 16
_CONNECT_SECONDS = 30.0


class Wiretap:
    """Relay connections to one port of this machine, and remember what was said.

    Args:
        port: Where the listener that is really meant answers.
        added: Line of a head to be added to each request of HTTP.
    """

    def __init__(self, port: int, added: bytes = b"") -> None:
        self._target = ("127.0.0.1", port)
        self._added = added
        self._lines: list[_Line] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._server.getsockname()[1]
        """Where whoever is to be overheard has to connect."""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @classmethod
    def of_chain(cls, url: str) -> Self:
        """Overhear the callers of a chain."""
        return cls(urlsplit(url).port or 80)

    @classmethod
    def of_store(cls, endpoint: Endpoint) -> Self:
        """Overhear the callers of a store's RPC, who then need no password."""
        assert endpoint.credentials is not None
        word = base64.b64encode(":".join(endpoint.credentials).encode())
        return cls(int(endpoint.address.rsplit("/", 1)[1]), b"Authorization: Basic " + word)

    @property
    def url(self) -> str:
        """Where whoever is to be overheard has to connect."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A listener that is only closed goes on waiting.
        self._server.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._server.close()
        for line in self._lines:
            line.close()

    def heard(self) -> bytes:
        """Give all that was said so far, both ways."""
        return b"\n".join(bytes(part) for line in self._lines for part in line.heard)

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            try:
                called = socket.create_connection(self._target, _CONNECT_SECONDS)
            except OSError:
                caller.close()
                continue
            called.settimeout(None)
            self._lines.append(_Line(caller, called, self._added))


class _Line:
    """One connection, and what was said on it."""

    def __init__(self, caller: socket.socket, called: socket.socket, added: bytes) -> None:
        self._ends = caller, called
        self._added = added
        self._is_callers_turn = True
        asked, answered = bytearray(), bytearray()
        self.heard = asked, answered
        for end in self._ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for work in (self._ask, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """Hang up on both."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _ask(self) -> None:
        caller, called = self._ends
        with suppress(OSError):
            for block in _blocks(caller):
                self.heard[0].extend(block)
                # In HTTP a request waits for the answer to the one before.
                begins, self._is_callers_turn = self._is_callers_turn, False
                called.sendall(self._completed(block) if begins else block)
            called.shutdown(socket.SHUT_WR)

    def _answer(self) -> None:
        caller, called = self._ends
        with suppress(OSError):
            for block in _blocks(called):
                self.heard[1].extend(block)
                self._is_callers_turn = True
                caller.sendall(block)
            caller.shutdown(socket.SHUT_WR)

    def _completed(self, block: bytes) -> bytes:
        """Add the line behind the first one of a request."""
        if not self._added:
            return block
        first, end, rest = block.partition(b"\r\n")
        return first + end + self._added + end + rest


def _blocks(end: socket.socket) -> Iterator[bytes]:
    while block := end.recv(_BLOCK_SIZE_BYTES):
        yield block
