"""One suite over every message bus: one process, embedded nodes, and today's Kubo RPC."""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from fednet.blobs import NO_LISTEN, EmbeddedStore, KuboBus, KuboStore, new_swarm_key
from fednet.blobs.embedded.multipart import body_blocks, files
from fednet.domain.messages import MAX_MESSAGE_SIZE_BYTES, LocalBus, MessageBus
from fednet.errors import StoreError

PATIENCE_SECONDS = 20.0
QUIET_SECONDS = 0.3
TOPIC = "fednet/31337/0xabc/1"
MESSAGE = bytes(range(MAX_MESSAGE_SIZE_BYTES))
KEY = new_swarm_key()


class KuboMock(BaseHTTPRequestHandler):
    """Answer like Kubo since 0.11: topics in multibase, a message as a file, JSON by lines."""

    protocol_version = "HTTP/1.1"
    listeners: list[tuple[str, queue.Queue[bytes | None]]]
    is_off = False

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        topic = parse_qs(url.query)["arg"][0]
        assert topic.startswith("u")
        blocks = body_blocks(
            self.rfile, self.headers["Content-Length"], self.headers["Transfer-Encoding"]
        )
        if url.path == "/api/v0/pubsub/pub":
            ((_, data),) = files(blocks, self.headers["Content-Type"], 10_000)
            assert list(blocks) == []
            for heard, waiting in self.listeners:
                if heard == topic:
                    waiting.put(bytes(data))
            self._send(200, b"")
        elif self.is_off:
            text = "experimental pubsub feature not enabled, run daemon with --enable-pubsub"
            self._send(500, json.dumps({"Message": text, "Code": 0, "Type": "error"}).encode())
        else:
            self._listen(topic)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _listen(self, topic: str) -> None:
        waiting: queue.Queue[bytes | None] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.listeners.append((topic, waiting))
        while (data := waiting.get()) is not None:
            text = "u" + base64.urlsafe_b64encode(data).decode().rstrip("=")
            line = {"from": "12D3KooWExample", "data": text, "seqno": "uAA", "topicIDs": [topic]}
            block = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def kubo(folder: Path, *, is_off: bool = False) -> Iterator[tuple[KuboStore, KuboStore]]:
    """Open two stores that share one daemon."""
    shared = {"listeners": [], "is_off": is_off}
    handler = type("Handler", (KuboMock,), shared)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"/ip4/127.0.0.1/tcp/{server.server_address[1]}"
    stores = KuboStore(address, folder / "a"), KuboStore(address, folder / "b")
    try:
        yield stores
    finally:
        for store in stores:
            store.close()
        for _, waiting in handler.listeners:  # type: ignore[attr-defined]
            waiting.put(None)
        server.shutdown()
        server.server_close()


def embedded(folder: Path, name: str, **options: str | bytes) -> EmbeddedStore:
    """Start a store whose node is given the test's swarm key."""
    given = {"swarm_key": KEY, "listen": NO_LISTEN} | options
    return EmbeddedStore(folder / name, folder / f"{name}-cache", **given)  # type: ignore[arg-type]


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[tuple[EmbeddedStore, EmbeddedStore, EmbeddedStore]]:
    """A hub, and two sites that only dial it."""
    with ExitStack() as stack:
        hub = embedded(tmp_path, "hub", listen="/ip4/127.0.0.1/tcp/0")
        sites = embedded(tmp_path, "first"), embedded(tmp_path, "second")
        for store in (hub, *sites):
            stack.callback(store.close)
        for store in sites:
            store.connect([hub.address()])
        yield hub, *sites


@pytest.fixture(params=["local", "embedded", "kubo"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[MessageBus, MessageBus]]:
    """Two members' buses."""
    if request.param == "local":
        first = LocalBus()
        yield first, LocalBus(first)
    elif request.param == "embedded":
        _, one, other = request.getfixturevalue("swarm")
        hub = request.getfixturevalue("swarm")[0]
        wait_until(lambda: hub.bus.take(TOPIC) is not None)
        yield one.bus, other.bus
    else:
        with kubo(tmp_path) as stores:
            yield stores[0].bus, stores[1].bus


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def settle(sender: MessageBus, *listeners: MessageBus) -> None:
    """Send until every listener hears, then take what was sent for it."""
    deaf = list(listeners)

    def is_settled() -> bool:
        sender.post(TOPIC, b"settling")
        deaf[:] = [bus for bus in deaf if not bus.take(TOPIC)]
        return not deaf

    wait_until(is_settled)
    time.sleep(QUIET_SECONDS)
    for bus in listeners:
        bus.take(TOPIC)


def heard(bus: MessageBus, count: int) -> list[bytes]:
    """Take so many messages, however long they take, and what else came with them."""
    found: list[bytes] = []

    def is_enough() -> bool:
        found.extend(bus.take(TOPIC))
        return len(found) >= count

    wait_until(is_enough)
    return found


def test_everybody_who_listens_hears_whole_messages(
    pair: tuple[MessageBus, MessageBus],
) -> None:
    sender, other = pair
    settle(sender, sender, other)
    if isinstance(sender, KuboBus):
        sender.probe()
    sent = [MESSAGE[:-1] + bytes([number]) for number in range(5)]
    for message in sent:
        sender.post(TOPIC, message)
    # Gossip keeps no order.
    assert sorted(heard(other, 5)) == sent
    assert sorted(heard(sender, 5)) == sent


def test_another_topic_is_not_heard_and_a_left_one_no_more(
    pair: tuple[MessageBus, MessageBus],
) -> None:
    sender, other = pair
    settle(sender, other)
    sender.post(TOPIC + "1", b"of another run")
    sender.post(TOPIC, b"of this run")
    assert heard(other, 1) == [b"of this run"]
    other.leave(TOPIC)
    other.leave("never listened to")
    sender.post(TOPIC, b"nobody hears")
    # The first call of a new listener: what was said before it is not its own.
    assert other.take(TOPIC) == []


def test_what_is_too_large_for_a_message_is_dropped(swarm: tuple[EmbeddedStore, ...]) -> None:
    _, one, other = swarm
    settle(one.bus, swarm[0].bus, other.bus)
    one.bus.post(TOPIC, bytes(MAX_MESSAGE_SIZE_BYTES + 1))
    one.bus.post(TOPIC, bytes(4096))
    one.bus.post(TOPIC, MESSAGE)
    assert heard(other.bus, 1) == [MESSAGE]
    with pytest.raises(StoreError):
        one.bus.post(TOPIC, bytes(4097))


def test_who_has_another_key_hears_nothing(
    swarm: tuple[EmbeddedStore, ...], tmp_path: Path
) -> None:
    hub, one, _ = swarm
    stranger = embedded(tmp_path, "stranger", swarm_key=new_swarm_key())
    try:
        with pytest.raises(StoreError):
            stranger.connect([hub.address()])
        stranger.bus.take(TOPIC)
        settle(one.bus, hub.bus)
        stranger.bus.post(TOPIC, b"from outside")
        one.bus.post(TOPIC, MESSAGE)
        assert heard(hub.bus, 1) == [MESSAGE]
        assert stranger.bus.take(TOPIC) in ([], [b"from outside"])
    finally:
        stranger.close()


def test_a_killed_node_is_listened_to_again(swarm: tuple[EmbeddedStore, ...]) -> None:
    hub, one, _ = swarm
    settle(one.bus, hub.bus)
    assert one.node.pid is not None
    settle(hub.bus, one.bus)
    os.kill(one.node.pid, signal.SIGKILL)

    def is_heard_again() -> bool:
        hub.bus.post(TOPIC, MESSAGE)
        try:
            return MESSAGE in one.bus.take(TOPIC)
        except StoreError:
            return False

    wait_until(is_heard_again)


def test_a_daemon_without_messages_says_so(tmp_path: Path) -> None:
    with kubo(tmp_path, is_off=True) as (store, _):

        def refusal() -> str:
            try:
                store.bus.take(TOPIC)
            except StoreError as exc:
                return str(exc.actual)
            return ""

        wait_until(lambda: "pubsub feature not enabled" in refusal())
        with pytest.raises(StoreError):
            store.bus.probe()
