"""Fetch and serve on what the ledger names: plans, texts, models, updates, shares, records.

A hub that mirrors lets sites behind closed firewalls, which only dial out,
exchange bytes. Every byte is verified and bounded before it is kept; what a site
erased is let go of, and kept no more.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from fednet.cli import output
from fednet.cli.named_blobs import NamedBlobs, Place
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.node.sweeping import Sweeper

_THREADS = 4
_TIMEOUT_SECONDS = 20.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 600.0
"""After a blob was not there; doubled each time, lest missing ones hold up those that are."""


def mirror(
    reader: LedgerReader,
    store: BlobStore,
    sweeper: Sweeper,
    poll_seconds: float,
    stop: threading.Event,
) -> None:
    """Keep what the ledger names until told to stop."""
    named, keeper = NamedBlobs(reader), _Keeper(store)
    try:
        while not stop.wait(poll_seconds):
            try:
                named.look()
                if sweeper.is_due(named.erasures):
                    keeper.let_go(sweeper)
                keeper.work(named)
            except FednetError as exc:
                output.say(f"waiting: {exc}")
    finally:
        keeper.close()


class _Keeper:
    """Fetch and pin what is named, a few blobs at a time."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._kept: set[Place] = set()
        self._working: dict[Place, Future[None]] = {}
        self._erased: set[Commitment] = set()
        self._missed: dict[Place, tuple[float, float]] = {}
        """When to look again, by the monotonic clock, and how long that pause is."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mirror")

    def work(self, named: NamedBlobs) -> None:
        """Take stock of what came, read what tells of more, begin to fetch what is missing."""
        for place, future in list(self._working.items()):
            if future.done():
                del self._working[place]
                if future.exception() is None:
                    self._kept.add(place)
                else:
                    self._miss(place)
        for place in named.telling & self._kept:
            file = self._store.fetch(place[0], [place[1]], named.caps[place], _TIMEOUT_SECONDS)
            named.read(place, file.read_bytes())
        for place in named.caps.keys() - self._kept - self._working.keys():
            if place[0] in self._erased:
                continue
            if self._missed.get(place, (0.0, 0.0))[0] <= time.monotonic():
                self._working[place] = self._pool.submit(self._keep, place, named.caps[place])

    def let_go(self, sweeper: Sweeper) -> None:
        """Keep no more of what was erased, and remove what is here of it."""
        everything = sweeper.find(again=True)
        self._erased = {each.commitment for due in everything for each in due.updates}
        # What is on its way would come back otherwise.
        coming = [place for place in self._working if place[0] in self._erased]
        wait([future for future in map(self._working.pop, coming) if not future.cancel()])
        for due in sweeper.find():
            sweeper.let_go(due)

    def close(self) -> None:
        """Begin no further fetch."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _miss(self, place: Place) -> None:
        _, last = self._missed.get(place, (0.0, _FIRST_PAUSE_SECONDS / 2))
        pause = min(2 * last, _LONGEST_PAUSE_SECONDS)
        self._missed[place] = (time.monotonic() + pause, pause)

    def _keep(self, place: Place, cap: int) -> None:
        self._store.fetch(place[0], [place[1]], cap, _TIMEOUT_SECONDS)
        self._store.pin(place[1])
