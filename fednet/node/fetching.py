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

from fednet.domain.blobs import BlobStore, Wanted
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
    failures: int = 0
    last_error: str = ""


class Fetcher:
    """Hold the verified bytes that were asked for, as paths into the store's cache.

    Whoever names a blob may lie about where it is, or name another's; so every
    place is tried for itself, and one that serves the bytes fulfils all wishes
    for them within the same bound.
    """

    def __init__(
        self,
        blobs: BlobStore,
        announced: Announced,
        wake: Callable[[], None],
        thread_count: int = 4,
    ) -> None:
        self._blobs = blobs
        self.announced = announced
        """Asks the ledger for further locators of a blob."""
        self._wake = wake
        self._wishes: dict[Wanted, _Wish] = {}
        self._alike: dict[tuple[Commitment, int], list[Wanted]] = {}
        self._held: dict[int, dict[Commitment, Path]] = {}
        self._located: dict[Wanted, bool] = {}
        self.largest_size_bytes = 0
        """Of what was fetched so far; 0 if nothing was."""
        self._queue: list[tuple[float, Wanted]] = []
        self._news = Condition()
        self._closed = False
        for _ in range(thread_count):
            Thread(target=self._work, name="fetch", daemon=True).start()

    @property
    def count(self) -> int:
        """How many blobs are here."""
        return sum(map(len, self._held.values()))

    @property
    def fetching(self) -> Set[Wanted]:
        """What is under way or will be tried again; a live view."""
        return self._wishes.keys()

    def held(self, size_cap_bytes: int) -> Set[Commitment]:
        """Give what is here of all that was wanted within this very bound; a live view."""
        return self._held.setdefault(size_cap_bytes, {}).keys()

    def path(self, commitment: Commitment, size_cap_bytes: int) -> Path | None:
        """Return where the bytes are, if they are here and were wanted within this very bound."""
        with self._news:
            return self._held.get(size_cap_bytes, {}).get(commitment)

    def is_at(self, wanted: Wanted) -> bool:
        """Tell whether a blob is here and its place names these very bytes, and no others."""
        path = self.path(wanted.commitment, wanted.size_cap_bytes)
        if path is None or not path.exists():
            return False
        if wanted not in self._located:
            self._located[wanted] = self._blobs.locate(path) == wanted.locator
        return self._located[wanted]

    def want(self, wanted: Wanted) -> None:
        """Begin to fetch a blob, unless it is here or under way from the same place."""
        with self._news:
            held = self._held.get(wanted.size_cap_bytes, {})
            if wanted.commitment in held or wanted in self._wishes:
                return
            self._wishes[wanted] = _Wish()
            self._alike.setdefault((wanted.commitment, wanted.size_cap_bytes), []).append(wanted)
            heappush(self._queue, (0.0, wanted))
            self._news.notify()

    def stop_wanting(self, keep: Set[Commitment]) -> None:
        """Give up what is not here yet and is not named."""
        with self._news:
            for blob in [each for each in self._alike if each[0] not in keep]:
                self._forget(*blob)
            for wanted in [each for each in self._located if each.commitment not in keep]:
                del self._located[wanted]

    def drop(self, commitment: Commitment) -> None:
        """Let go of bytes that turned out to be gone or altered."""
        with self._news:
            for held in self._held.values():
                held.pop(commitment, None)

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _work(self) -> None:
        while (wanted := self._next()) is not None:
            with self._news:
                wish = self._wishes.get(wanted)
            if wish is not None:
                self._try(wanted, wish)

    def _next(self) -> Wanted | None:
        """Wait for the next blob that is due; None when closed."""
        with self._news:
            while not self._closed:
                now = time.monotonic()
                if self._queue and self._queue[0][0] <= now:
                    return heappop(self._queue)[1]
                self._news.wait(self._queue[0][0] - now if self._queue else None)
        return None

    def _try(self, wanted: Wanted, wish: _Wish) -> None:
        commitment, locator, cap = wanted
        patience = _FIRST_TIMEOUT_SECONDS + cap / _SLOWEST_BYTES_PER_SECOND
        timeout = min(patience * 2**wish.failures, _LONGEST_TIMEOUT_SECONDS)
        try:
            # In turn, so that the first place keeps its time however many are announced.
            announced = self.announced(commitment) if wish.failures % 2 else ()
            path = self._blobs.fetch(commitment, announced or (locator,), cap, timeout)
        except FednetError as exc:
            wish.failures += 1
            wish.last_error = str(exc)
            pause = min(_FIRST_PAUSE_SECONDS * 2**wish.failures, _LONGEST_PAUSE_SECONDS)
            with self._news:
                if wanted in self._wishes:
                    heappush(self._queue, (time.monotonic() + pause, wanted))
                    self._news.notify()
            return
        with self._news:
            if wanted in self._wishes:
                self._hold(wanted, path)
            is_last = not self._wishes
        # Decisions wait for the last of them; whoever cannot wait looks by itself.
        if is_last:
            self._wake()

    def _hold(self, wanted: Wanted, path: Path) -> None:
        """Keep the bytes, and let every wish for them within the same bound be fulfilled."""
        commitment, _, cap = wanted
        self._forget(commitment, cap)
        self._held.setdefault(cap, {})[commitment] = path
        self.largest_size_bytes = max(self.largest_size_bytes, path.stat().st_size)

    def _forget(self, commitment: Commitment, size_cap_bytes: int) -> None:
        for wanted in self._alike.pop((commitment, size_cap_bytes), ()):
            del self._wishes[wanted]
