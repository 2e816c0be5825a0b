"""Messages between members over the Kubo node that holds their blobs (gossipsub).

Only who has the swarm's key hears or sends anything. What comes is unverified; of
each topic a bounded number of messages waits, none larger than a message can be.
A topic passes between two sites that are connected, or over sites that listen to it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from fednet.blobs.rpc import RpcClient
from fednet.domain.messages import MAX_MESSAGE_SIZE_BYTES, MOST_WAITING
from fednet.errors import StoreError

_POST_TIMEOUT_SECONDS = 5.0
_PROBED = "fednet/probe"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class KuboBus:
    """Post and take the messages of topics; safe to share between threads."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._lock = threading.Lock()
        self._ears: dict[str, _Ear] = {}

    def post(self, topic: str, message: bytes) -> None:
        """Send to everybody; comes back without knowing who heard it.

        Raises:
            StoreError: The daemon did not take it.
        """
        self._rpc.say(topic, message, _POST_TIMEOUT_SECONDS)

    def take(self, topic: str) -> Sequence[bytes]:
        """Return what came since the last time; the first call begins to listen.

        Raises:
            StoreError: The daemon does not let us listen; it is asked again by and by.
        """
        with self._lock:
            ear = self._ears.get(topic)
            if ear is None:
                ear = self._ears[topic] = _Ear(self._rpc, topic)
        return ear.take()

    def probe(self) -> None:
        """Try whether the daemon lets us listen at all.

        Raises:
            StoreError: It does not.
        """
        with self._rpc.listening(_PROBED):
            pass

    def leave(self, topic: str) -> None:
        """Listen no more."""
        with self._lock:
            ear = self._ears.pop(topic, None)
        if ear is not None:
            ear.close()

    def close(self) -> None:
        """Leave every topic."""
        for topic in list(self._ears):
            self.leave(topic)


class _Ear:
    """Listen to one topic in a thread of its own, again and again."""

    def __init__(self, rpc: RpcClient, topic: str) -> None:
        self._rpc = rpc
        self._topic = topic
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._failure: StoreError | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._listen, name=f"ear-{topic}", daemon=True).start()

    def take(self) -> Sequence[bytes]:
        if self._failure is not None:
            raise self._failure
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        self._closed.set()

    def _listen(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            has_begun, began = False, time.monotonic()
            try:
                with self._rpc.listening(self._topic) as messages:
                    has_begun, self._failure = True, None
                    for message in messages:
                        if self._closed.is_set():
                            return
                        if len(message) <= MAX_MESSAGE_SIZE_BYTES:
                            self._waiting.append(message)
            except StoreError as exc:
                # A line that breaks is mended at once; one that cannot be opened is a failure.
                self._failure = None if has_begun else exc
            except RuntimeError:
                # A node that is closed has no endpoint any more.
                if not self._closed.is_set():
                    raise
            if time.monotonic() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            # Where a flood ends every listening at once, less and less of it is taken.
            self._closed.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
