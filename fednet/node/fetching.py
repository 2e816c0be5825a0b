"""Fetch the updates of other sites in a few threads, each at its own pace.

What fails is tried again by itself, later and with more patience, until nobody
wants it any more. The threads are daemons: a node that stops waits for no peer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from threading import Condition, Thread

from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, Locator
from fednet.errors import FednetError

_FIRST_TIMEOUT_SECONDS = 5.0
_LONGEST_TIMEOUT_SECONDS = 300.0
_SLOWEST_BYTES_PER_SECOND = 1 << 19
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0

Announced = Callable[[Commitment], Sequence[Locator]]
"""Asks the ledger for further locators of a blob."""


@dataclass(slots=True)
class _Wish:
    locators: tuple[Locator, ...]
    size_cap_bytes: int
    failures: int = 0
    last_error: str = ""


class Fetcher:
    """Hold the verified bytes that were asked for, as paths into the store's cache."""

    def __init__(
        self,
        blobs: BlobStore,
        announced: Announced,
        wake: Callable[[], None],
        thread_count: int = 4,
    ) -> None:
        self._blobs = blobs
        self._announced = announced
        self._wake = wake
        self._wishes: dict[Commitment, _Wish] = {}
        self._held: dict[Commitment, Path] = {}
        self.largest_size_bytes = 0
        """Of what was fetched so far; 0 if nothing was."""
        self._queue: list[tuple[float, Commitment]] = []
        self._news = Condition()
        self._closed = False
        for _ in range(thread_count):
            Thread(target=self._work, name="fetch", daemon=True).start()

    @property
    def held(self) -> Set[Commitment]:
        """What is here; a live view."""
        return self._held.keys()

    @property
    def fetching(self) -> Set[Commitment]:
        """What is under way or will be tried again; a live view."""
        return self._wishes.keys()

    def path(self, commitment: Commitment) -> Path | None:
        """Return where the bytes are, if they are here."""
        with self._news:
            return self._held.get(commitment)

    def want(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> None:
        """Begin to fetch a blob, unless it is here or under way."""
        with self._news:
            if commitment in self._held or commitment in self._wishes:
                return
            self._wishes[commitment] = _Wish((locator,), size_cap_bytes)
            heappush(self._queue, (0.0, commitment))
            self._news.notify()

    def stop_wanting(self, keep: Set[Commitment]) -> None:
        """Give up what is not here yet and is not named."""
        with self._news:
            for commitment in self._wishes.keys() - keep:
                del self._wishes[commitment]

    def drop(self, commitment: Commitment) -> None:
        """Let go of bytes that turned out to be gone or altered."""
        with self._news:
            self._held.pop(commitment, None)

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _work(self) -> None:
        while (commitment := self._next()) is not None:
            with self._news:
                wish = self._wishes.get(commitment)
            if wish is not None:
                self._try(commitment, wish)

    def _next(self) -> Commitment | None:
        """Wait for the next blob that is due; None when closed."""
        with self._news:
            while not self._closed:
                now = time.monotonic()
                if self._queue and self._queue[0][0] <= now:
                    return heappop(self._queue)[1]
                self._news.wait(self._queue[0][0] - now if self._queue else None)
        return None

    def _try(self, commitment: Commitment, wish: _Wish) -> None:
        patience = _FIRST_TIMEOUT_SECONDS + wish.size_cap_bytes / _SLOWEST_BYTES_PER_SECOND
        timeout = min(patience * 2**wish.failures, _LONGEST_TIMEOUT_SECONDS)
        try:
            if wish.failures:
                wish.locators = tuple(dict.fromkeys((*wish.locators, *self._announced(commitment))))
            path = self._blobs.fetch(commitment, wish.locators, wish.size_cap_bytes, timeout)
        except FednetError as exc:
            wish.failures += 1
            wish.last_error = str(exc)
            pause = min(_FIRST_PAUSE_SECONDS * 2**wish.failures, _LONGEST_PAUSE_SECONDS)
            with self._news:
                if commitment in self._wishes:
                    heappush(self._queue, (time.monotonic() + pause, commitment))
                    self._news.notify()
            return
        with self._news:
            if self._wishes.pop(commitment, None) is not None:
                self._held[commitment] = path
                self.largest_size_bytes = max(self.largest_size_bytes, path.stat().st_size)
            is_last = not self._wishes
        # Decisions wait for the last of them; whoever cannot wait looks by itself.
        if is_last:
            self._wake()
