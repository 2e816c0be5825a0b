"""A Kubo RPC that fails in every way ends in one of our errors, and in time."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fednet.blobs import KuboStore
from fednet.blobs.cid import CHUNK_SIZE_BYTES
from fednet.blobs.pieces import scan
from fednet.domain.identity import Commitment, Locator
from fednet.errors import (
    BlobMissingError,
    DigestMismatchError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)

CAP = 1_000_000
Fault = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Fault], KuboStore]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Answer every call with one fault."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread, KuboStore]] = []

    def make(fault: Fault) -> KuboStore:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.close_connection = True
                fault(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        store = KuboStore(f"/ip4/127.0.0.1/tcp/{server.server_address[1]}", tmp_path / "cache")
        servers.append((server, thread, store))
        return store

    yield make
    for server, thread, store in servers:
        store.close()
        server.shutdown()
        server.server_close()
        thread.join()


def reply(
    status: int, body: bytes, kind: str = "application/json", *, length: int | None = None
) -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> None:
        # Read what was uploaded, so that the answer is seen and no reset.
        handler.connection.settimeout(0.05)
        try:
            while handler.rfile.read1(1 << 20):  # type: ignore[attr-defined]
                pass
        except TimeoutError:
            pass
        handler.connection.settimeout(None)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return fault


def hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def error(message: str) -> Fault:
    body = json.dumps({"Message": message, "Code": 0, "Type": "error"})
    return reply(500, body.encode())


def fetch(store: KuboStore, timeout_seconds: float = 0.5) -> Path:
    return store.fetch(Commitment.of(b"x"), [Locator(os.urandom(32))], CAP, timeout_seconds)


def a_blob(folder: Path) -> Path:
    path = folder / "blob"
    path.write_bytes(b"some bytes")
    return path


def test_fetch_from_a_daemon_that_hangs_ends_in_time(serve: Serve) -> None:
    store = serve(hang)
    started = time.monotonic()
    with pytest.raises(BlobMissingError):
        fetch(store, 0.1)
    assert time.monotonic() - started < 2.5


def test_fetch_of_a_block_nobody_has_says_missing(serve: Serve) -> None:
    with pytest.raises(BlobMissingError):
        fetch(serve(error("block was not found locally (offline): ipld: could not find Qm")))


def test_fetch_from_a_daemon_that_hangs_up_is_worth_retrying(serve: Serve) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        fetch(serve(hang_up))
    assert caught.value.retryable


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_fetch_cut_short_after_a_chunk_accuses_nobody(serve: Serve, chunks: int) -> None:
    with pytest.raises(BlobMissingError):
        fetch(serve(reply(200, b"x" * CHUNK_SIZE_BYTES * chunks, "text/plain")))


def test_fetch_of_other_bytes_than_the_commitment_says_so(serve: Serve) -> None:
    with pytest.raises(DigestMismatchError):
        fetch(serve(reply(200, b"other bytes", "text/plain")))


def test_fetch_cut_below_its_announced_length_is_an_error(serve: Serve) -> None:
    with pytest.raises(StoreError):
        fetch(serve(reply(200, b"abc", "text/plain", length=10)))


def test_fetch_without_a_daemon_says_so(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"/ip4/127.0.0.1/tcp/{free.getsockname()[1]}"
        store = KuboStore(address, tmp_path / "cache")
        with pytest.raises(StoreUnavailableError) as caught:
            fetch(store)
    assert caught.value.subject == address
    assert caught.value.hint


@pytest.mark.parametrize("address", ["", "nonsense", "/ip4/127.0.0.1", "ftp://127.0.0.1"])
def test_store_refuses_what_is_no_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError):
        fetch(KuboStore(address, tmp_path / "cache"))


def test_publish_on_a_full_disk_says_what_to_do(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        serve(error("write blocks/put-1: no space left on device")).publish(a_blob(tmp_path))
    assert "disk space" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"<html>"),
        reply(200, b""),
        reply(200, b"[]\n"),
        reply(200, b'{"Name":"x"}\n'),
        reply(200, b'{"Hash":"QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"}\n' * 2),
        reply(404, b"404 page not found", "text/plain"),
        reply(302, b""),
    ],
)
def test_publish_to_what_is_no_kubo_is_an_error(
    serve: Serve, tmp_path: Path, answer: Fault
) -> None:
    with pytest.raises(StoreError):
        serve(answer).publish(a_blob(tmp_path))


def test_publish_compares_the_names_it_gets_with_its_own(serve: Serve, tmp_path: Path) -> None:
    path = a_blob(tmp_path)
    listed, _ = scan(path)
    cids = listed.cids
    body = "".join(json.dumps({"Hash": cid}) + "\n" for cid in cids)
    assert serve(reply(200, body.encode())).publish(path) == listed.locate()


@pytest.mark.parametrize("call", ["peers", "address"])
@pytest.mark.parametrize("answer", [reply(200, b"[]"), reply(200, b"{}{}"), reply(200, b'{"a"')])
def test_queries_refuse_what_is_no_answer(serve: Serve, call: str, answer: Fault) -> None:
    with pytest.raises(StoreError):
        getattr(serve(answer), call)()
