"""The wiretap hears both parties, alters nothing but what it adds, and hangs up with them."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fednet.blobs.rpc import Endpoint, RpcClient
from fednet.errors import StoreUnavailableError
from fednet.ledger.rpc import JsonRpc
from tests.secrecy import Leak, Secret, leaks
from tests.wiretap import Wiretap

ASKED, ANSWERED = Secret("asked", bytes(range(40, 72))), Secret("answered", bytes(range(90, 130)))
UNSAID = Secret("unsaid", bytes(range(140, 180)))


class Echo(BaseHTTPRequestHandler):
    """Answers every request with what it heard, and with a secret of its own."""

    protocol_version = "HTTP/1.1"
    heads: list[str | None]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.heads.append(self.headers["Authorization"])
        number = json.loads(body)["id"] if body else 0
        said = json.dumps({"id": number, "result": ANSWERED.value.hex()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def echo() -> Iterator[tuple[int, list[str | None]]]:
    heads: list[str | None] = []
    handler = type("Handler", (Echo,), {"heads": heads})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port, heads
    finally:
        server.shutdown()
        server.server_close()


def test_a_secret_that_is_asked_or_answered_is_heard_and_none_that_is_not() -> None:
    with echo() as (port, _), Wiretap.of_chain(f"http://127.0.0.1:{port}") as tap:
        rpc = JsonRpc(tap.url)
        assert rpc.call("eth_sendRawTransaction", f"0x{ASKED.value.hex()}") == ANSWERED.value.hex()
        rpc.close()
    found = leaks([ASKED, ANSWERED, UNSAID], {"traffic": tap.heard()}, [])
    assert found == [Leak("asked", "traffic"), Leak("answered", "traffic")]


def test_each_request_of_a_kept_connection_gets_the_authorization_and_none_is_heard() -> None:
    with echo() as (port, heads):
        endpoint = Endpoint(f"/ip4/127.0.0.1/tcp/{port}", ("somebody", "a password"))
        with Wiretap.of_store(endpoint) as tap:
            client = RpcClient(lambda: Endpoint(tap.url))
            for _ in range(3):
                assert client.identity(5) == []
            client.close()
            heard = tap.heard()
    assert heads == ["Basic " + base64.b64encode(b"somebody:a password").decode()] * 3
    assert heard.count(b"/api/v0/id") == 3
    assert leaks([Secret("password", b"a password")], {"traffic": heard}, []) == []


def test_what_nobody_answers_is_hung_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with Wiretap(free) as tap, pytest.raises(StoreUnavailableError):
        RpcClient(lambda: Endpoint(tap.url)).identity(2)
    assert tap.heard() == b""
