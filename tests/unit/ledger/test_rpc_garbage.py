"""Connections of a client that became garbage are closed before their sockets are missed."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from fednet.ledger.rpc import JsonRpc

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'


class Chain(BaseHTTPRequestHandler):
    """Say to everything that it is 1, and keep the connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Chain) as server:
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_no_socket_is_left_open_by_clients_in_a_circle(url: str) -> None:
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", ResourceWarning)
            for _ in range(20):
                client: Any = JsonRpc(url)
                assert client.call("eth_blockNumber") == "0x1"
                client.itself = client
            del client
            gc.collect()
    finally:
        gc.enable()
    assert [str(each.message) for each in seen] == []
