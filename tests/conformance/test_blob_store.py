"""One suite over every blob store: memory, embedded Kubo, and today's Kubo RPC."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from fednet.blobs import (
    NO_LISTEN,
    EmbeddedStore,
    KuboStore,
    MemoryStore,
    MemorySwarm,
    new_swarm_key,
)
from fednet.blobs.cid import cid_of, locate_bytes
from fednet.blobs.embedded.multipart import body_blocks, files
from fednet.blobs.pieces import LIST_SIZE_CAP_BYTES, PIECE_SIZE_BYTES
from fednet.domain import canonical
from fednet.domain.blobs import BlobStore, ErasingStore
from fednet.domain.identity import Commitment, Locator
from fednet.errors import (
    BlobMissingError,
    DigestMismatchError,
    MalformedBlobError,
    StoreError,
)

CAP = 100_000_000
PATIENCE_SECONDS = 20.0
SHORT_SECONDS = 0.3
MOST_KEPT_DESCRIPTORS = 8
"""Four connections, with the ends of a server in this process."""
ABSENT = Commitment.of(b"bytes that no test publishes, not even by chance")


class Pair(NamedTuple):
    """Two connected stores; both have a cache of their own."""

    publisher: ErasingStore
    reader: ErasingStore


class KuboMock(BaseHTTPRequestHandler):
    """Answer like Kubo 0.44: POST only, no `object/*`, errors in JSON."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        blocks = body_blocks(
            self.rfile, self.headers["Content-Length"], self.headers["Transfer-Encoding"]
        )
        command = url.path.removeprefix("/api/v0/")
        args = query.get("arg", [])
        if command == "add":
            assert query["cid-version"] == ["0"]
            assert query["raw-leaves"] == ["false"]
            assert query["chunker"] == ["size-262144"]
            self._json(*self._add(blocks))
        elif command == "cat":
            self._cat(args[0], int(query["length"][0]))
        elif command == "pin/add":
            missing = any(cid not in self.objects for cid in args)
            self._fail("context deadline exceeded") if missing else self._json({"Pins": args})
        elif command == "pin/rm":
            self._fail("not pinned or pinned indirectly")
        elif command == "block/rm":
            assert query["force"] == ["true"]
            for cid in args:
                self.objects.pop(cid, None)
            self._json(*({"Hash": cid} for cid in args))
        elif command == "id":
            own = "/p2p/12D3KooWExample"
            addresses = [f"/ip4/127.0.0.1/tcp/4001{own}", f"/ip4/192.0.2.1/tcp/4001{own}"]
            self._json({"ID": "12D3KooWExample", "Addresses": addresses, "Protocols": []})
        elif command == "swarm/connect":
            known = "12D3KooWExample" in args[0] and len(args) == 1
            text = "connect 12D3KooWExample success"
            self._json({"Strings": [text]}) if known else self._fail("failed to dial")
        elif command == "swarm/peers":
            self._json({"Peers": [{"Addr": "/ip4/192.0.2.1/tcp/4001", "Peer": "12D3KooWExample"}]})
        else:
            self._send(404, b"404 page not found", "text/plain")

    def do_GET(self) -> None:
        self._send(405, b"405 - Method Not Allowed", "text/plain")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _add(self, blocks: Iterator[bytes]) -> Iterator[dict[str, str]]:
        for name, data in files(blocks, self.headers["Content-Type"], CAP):
            cid = cid_of(locate_bytes(data))
            self.objects[cid] = bytes(data)
            yield {"Name": name, "Hash": cid, "Size": str(len(data))}
        assert list(blocks) == []

    def _cat(self, cid: str, length: int) -> None:
        if cid not in self.objects:
            self._fail(f"block was not found locally (offline): ipld: could not find {cid}")
            return
        data = self.objects[cid][:length]
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Content-Length", str(len(data)))
        self.send_header("Trailer", "X-Stream-Error")
        self.end_headers()
        for i in range(0, len(data), 50_000):
            block = data[i : i + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, message: str) -> None:
        body = json.dumps({"Message": message, "Code": 0, "Type": "error"})
        self._send(500, body.encode(), "application/json")

    def _json(self, *values: dict[str, Any]) -> None:
        body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
        self._send(200, body, "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def memory(folder: Path) -> Iterator[Pair]:
    swarm = MemorySwarm()
    yield Pair(MemoryStore(swarm, folder / "a"), MemoryStore(swarm, folder / "b"))


def embedded(folder: Path) -> Iterator[Pair]:
    key = new_swarm_key()
    publisher = EmbeddedStore(folder / "repo a", folder / "a", swarm_key=key)
    reader = EmbeddedStore(folder / "repo b", folder / "b", swarm_key=key, listen=NO_LISTEN)
    yield Pair(publisher, reader)
    publisher.close()
    reader.close()


def kubo(folder: Path) -> Iterator[Pair]:
    handler = type("Handler", (KuboMock,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    port = server.server_address[1]
    publisher = KuboStore(f"http://127.0.0.1:{port}", folder / "a")
    reader = KuboStore(f"/ip4/127.0.0.1/tcp/{port}", folder / "b")
    yield Pair(publisher, reader)
    publisher.close()
    reader.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module", params=[memory, embedded, kubo], ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    stores = request.param(tmp_path_factory.mktemp("stores"))
    connected = next(stores)
    connected.reader.connect([connected.publisher.address()])
    yield connected
    next(stores, None)


def descriptors() -> int:
    """Count what this process has open."""
    return len(os.listdir("/proc/self/fd"))


def blob(folder: Path, size_bytes: int) -> tuple[Path, Commitment]:
    path = folder / "blob"
    path.write_bytes(os.urandom(size_bytes))
    return path, Commitment.of(path.read_bytes())


def serve_object(store: BlobStore, folder: Path, data: bytes) -> Locator:
    """Serve bytes as one object, so that a locator can name them as a piece list."""
    path = folder / "object"
    path.write_bytes(data)
    store.publish(path)
    return locate_bytes(data)


@pytest.mark.parametrize("size_bytes", [1, 262_144, 262_145, 400_000, PIECE_SIZE_BYTES + 1])
def test_blob_store_fetches_what_was_published(pair: Pair, tmp_path: Path, size_bytes: int) -> None:
    path, commitment = blob(tmp_path, size_bytes)
    located = pair.publisher.locate(path)
    assert pair.publisher.publish(path) == located
    copy = pair.reader.fetch(commitment, [located], size_bytes, PATIENCE_SECONDS)
    assert copy.read_bytes() == path.read_bytes()


def test_blob_store_locates_without_publishing(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 1000)
    located = pair.publisher.locate(path)
    with pytest.raises(BlobMissingError):
        pair.reader.fetch(commitment, [located], CAP, SHORT_SECONDS)


def test_blob_store_publishes_many_at_once(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fednet.blobs.kubo._MOST_AT_ONCE", 8)
    contents = [b"%d" % at * (at + 1) for at in range(20)] + [os.urandom(PIECE_SIZE_BYTES + 1)]
    paths = [tmp_path / str(at) for at in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    found = pair.publisher.publish_all(paths)
    assert found == [pair.publisher.locate(path) for path in paths]
    for at in (0, 7, 8, 19, 20):
        commitment = Commitment.of(contents[at])
        copy = pair.reader.fetch(commitment, [found[at]], CAP, PATIENCE_SECONDS)
        assert copy.read_bytes() == contents[at]
    assert pair.publisher.publish_all([]) == []


def test_blob_store_publishes_twice_the_same(pair: Pair, tmp_path: Path) -> None:
    path, _ = blob(tmp_path, 1000)
    assert pair.publisher.publish(path) == pair.publisher.publish(path)


def test_blob_store_ends_a_missing_blob_in_time(pair: Pair) -> None:
    started = time.monotonic()
    with pytest.raises(BlobMissingError) as caught:
        pair.reader.fetch(ABSENT, [Locator(os.urandom(32))], CAP, SHORT_SECONDS)
    assert time.monotonic() - started < 10
    assert str(ABSENT) in caught.value.subject


def test_blob_store_without_a_locator_says_missing(pair: Pair) -> None:
    with pytest.raises(BlobMissingError):
        pair.reader.fetch(Commitment.of(b"y"), [], CAP, SHORT_SECONDS)


def test_blob_store_tries_every_locator(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 1000)
    located = pair.publisher.publish(path)
    lie = serve_object(pair.publisher, tmp_path, b"{}")
    locators = [Locator(os.urandom(32)), lie, located]
    copy = pair.reader.fetch(commitment, locators, CAP, 3 * SHORT_SECONDS + PATIENCE_SECONDS / 10)
    assert Commitment.of(copy.read_bytes()) == commitment


def test_blob_store_refuses_bytes_of_another_commitment(pair: Pair, tmp_path: Path) -> None:
    path, actual = blob(tmp_path, 1000)
    located = pair.publisher.publish(path)
    with pytest.raises(DigestMismatchError) as caught:
        pair.reader.fetch(Commitment.of(b"z"), [located], CAP, PATIENCE_SECONDS)
    assert caught.value.expected == Commitment.of(b"z")
    assert caught.value.actual == actual


def test_blob_store_keeps_to_the_size_cap(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 1000)
    located = pair.publisher.publish(path)
    with pytest.raises(MalformedBlobError):
        pair.reader.fetch(commitment, [located], 999, PATIENCE_SECONDS)


def test_blob_store_refuses_an_empty_blob(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(StoreError):
        pair.publisher.publish(path)
    with pytest.raises(StoreError):
        pair.publisher.locate(path)


def test_blob_store_refuses_a_file_that_is_not_there(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        pair.publisher.publish(tmp_path / "nothing")


def test_blob_store_replaces_an_altered_copy(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 1000)
    located = pair.publisher.publish(path)
    copy = pair.reader.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    copy.write_bytes(b"altered")
    again = pair.reader.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    assert again.read_bytes() == path.read_bytes()


def lists_of(piece: bytes) -> dict[str, bytes]:
    """Build piece lists that lie about a piece that is really served."""
    entry = {
        "cid": cid_of(locate_bytes(piece)),
        "sha256": Commitment.of(piece).hex(),
        "size_bytes": len(piece),
    }

    def listing(total: int = len(piece), **changes: object) -> bytes:
        value = {"format": "fednet-pieces/1", "pieces": [entry | changes], "size_bytes": total}
        return canonical.encode(value)

    return {
        "truncated": listing()[:-1],
        "oversized": b" " * (LIST_SIZE_CAP_BYTES + 1),
        "not canonical": listing() + b" ",
        "wrong sum": listing(total=len(piece) + 1),
        "short size": listing(total=len(piece) - 1, size_bytes=len(piece) - 1),
        "long size": listing(total=len(piece) + 1, size_bytes=len(piece) + 1),
        "another hash": listing(sha256="00" * 32),
    }


@pytest.mark.parametrize("lie", lists_of(b"x"))
def test_blob_store_refuses_a_lying_piece_list(pair: Pair, tmp_path: Path, lie: str) -> None:
    path, commitment = blob(tmp_path, 1000)
    pair.publisher.publish(path)
    located = serve_object(pair.publisher, tmp_path, lists_of(path.read_bytes())[lie])
    with pytest.raises((MalformedBlobError, DigestMismatchError)):
        pair.reader.fetch(commitment, [located], CAP, PATIENCE_SECONDS)


def test_blob_store_says_missing_when_a_piece_is(pair: Pair, tmp_path: Path) -> None:
    listing = lists_of(os.urandom(1000))
    whole = canonical.encode(
        {**json.loads(listing["wrong sum"]), "size_bytes": 1000}  # the honest list
    )
    located = serve_object(pair.publisher, tmp_path, whole)
    with pytest.raises(BlobMissingError):
        pair.reader.fetch(ABSENT, [located], CAP, SHORT_SECONDS)


def test_blob_store_pins_and_unpins(pair: Pair, tmp_path: Path) -> None:
    path, commitment = blob(tmp_path, 1000)
    located = pair.publisher.publish(path)
    pair.reader.pin(located)
    pair.reader.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    pair.reader.pin(located)
    pair.reader.unpin(located)
    pair.reader.unpin(located)


def test_blob_store_lists_its_peers(pair: Pair) -> None:
    assert pair.publisher.address()
    assert len(pair.reader.peers()) == 1


def test_blob_store_says_when_no_peer_is_reached(pair: Pair) -> None:
    absent = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBiavdLVvCTHwrVLJkM9VkAohvKxe6y6TWQJKCTG5gCHe"
    with pytest.raises(StoreError):
        pair.reader.connect([absent])
    with pytest.raises(StoreError):
        pair.reader.connect(["nonsense"])


def test_blob_store_connects_when_one_peer_is_away(pair: Pair) -> None:
    pair.reader.connect(["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWNobody", pair.publisher.address()])


def test_blob_store_serves_threads_at_once(pair: Pair, tmp_path: Path) -> None:
    blobs = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        path, commitment = blob(folder, 300_000)
        blobs.append((commitment, pair.publisher.publish(path)))
    copies: list[Path] = []
    open_before = descriptors()

    def fetch(commitment: Commitment, located: Locator) -> None:
        copies.append(pair.reader.fetch(commitment, [located], CAP, PATIENCE_SECONDS))

    threads = [threading.Thread(target=fetch, args=entry) for entry in blobs * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {Commitment.of(copy.read_bytes()) for copy in copies} == {name for name, _ in blobs}
    assert len(copies) == len(threads)
    end = time.monotonic() + PATIENCE_SECONDS
    while descriptors() > open_before + MOST_KEPT_DESCRIPTORS:
        assert time.monotonic() < end, "connections of threads that are gone stay open"
        time.sleep(0.02)
