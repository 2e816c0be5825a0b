"""What virtual sites of one process share, so that it is done once and not for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from fednet.domain.blobs import BlobStore
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, GrantId, Locator, SiteId
from fednet.domain.ledger import Dataset, Role, Standing
from fednet.domain.ports import LedgerReader
from fednet.errors import BlobMissingError
from fednet.node.files import file_matches
from fednet.node.reading import RunReading
from fednet.node.site import SiteTools


class SharedStore:
    """Publish and pin once what many sites of one process publish and pin; a `BlobStore`.

    What was published together travels in few calls, while the sites go on: all of
    them see the same disk, so that no fetch waits for it. What nobody has published
    nobody else could serve, and is missed at once.

    Args:
        store: The one store.
        known: Locators of what it held before.
    """

    def __init__(self, store: BlobStore, known: Collection[Locator] = ()) -> None:
        self._store = store
        self._known = frozenset(known)
        self._kept: set[Locator] = set()
        self._here: dict[Locator, Path] = {}
        self._located: dict[tuple[Path, int, int, int], Locator] = {}
        self._waiting: dict[Locator, Path] = {}
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._sending: Future[None] | None = None

    def locate(self, path: Path) -> Locator:
        """Compute the locator that `publish` will return; once for each file."""
        try:
            found = path.stat()
        except OSError:
            return self._store.locate(path)  # which says what is wrong
        version = (path, found.st_ino, found.st_mtime_ns, found.st_size)
        locator = self._located.get(version)
        if locator is None:
            locator = self._located[version] = self._store.locate(path)
        return locator

    def publish(self, path: Path) -> Locator:
        """Have a file served with the next `flush`, unless it is served already."""
        locator = self.locate(path)
        with self._lock:
            if locator not in self._kept:
                self._kept.add(locator)
                self._here[locator] = self._waiting[locator] = path
        return locator

    def publish_all(self, paths: Sequence[Path]) -> list[Locator]:
        """Have files served with the next `flush`."""
        return [self.publish(path) for path in paths]

    def flush(self) -> None:
        """Begin to publish what waits, if nothing is under way.

        Raises:
            StoreError: What was under way has failed.
        """
        if self._sending is not None:
            if not self._sending.done():
                return
            self._sending.result()
            self._sending = None
        if self._waiting:
            self._sending = self._worker.submit(self._publish)

    def settle(self) -> None:
        """Wait until everything is published.

        Raises:
            StoreError: It cannot be.
        """
        while self._waiting or self._sending is not None:
            if self._sending is not None:
                self._sending.result()
            self.flush()

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Return a verified copy: the very file, where it was published from this disk."""
        for locator in locators:
            path = self._here.get(locator)
            if path is None or not file_matches(path, commitment):
                continue
            if path.stat().st_size <= size_cap_bytes:
                return path
        if not any(map(self.serves, locators)):
            raise BlobMissingError("no site of the rehearsal serves it", subject=str(commitment))
        return self._store.fetch(commitment, locators, size_cap_bytes, timeout_seconds)

    def serves(self, locator: Locator) -> bool:
        """Tell whether a blob was published here, or before."""
        return locator in self._here or locator in self._known

    def pin(self, locator: Locator) -> None:
        """Keep a blob; what was published here is kept already."""
        with self._lock:
            is_new = locator not in self._kept
            self._kept.add(locator)
        if is_new:
            self._store.pin(locator)

    def unpin(self, locator: Locator) -> None:
        """Let go of a blob."""
        with self._lock:
            self._kept.discard(locator)
        self._store.unpin(locator)

    def peers(self) -> list[str]:
        """Return the addresses of the peers connected now."""
        return self._store.peers()

    def connect(self, addresses: Sequence[str]) -> None:
        """Dial peers."""
        self._store.connect(addresses)

    def address(self) -> str:
        """Return where others can dial the store."""
        return self._store.address()

    def close(self) -> None:
        """End publishing; the store itself belongs to whoever opened it."""
        self._worker.shutdown(cancel_futures=True)

    def _publish(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        self._store.publish_all(list(waiting.values()))


class SweepReading(RunReading):
    """Look at the chain once for all sites: between two `refresh`, every look sees the same."""

    def __init__(self, reader: LedgerReader, opened: RunOpened) -> None:
        super().__init__(reader, opened.run, opened.log.block)

    def look(self) -> bool:
        """Tell that nothing is new; what is new came with `refresh`."""
        return False

    def refresh(self) -> bool:
        """Read what is new; tell whether anything is."""
        return super().look()


class VirtualStanding:
    """A virtual site's standing, which nobody changes during a rehearsal."""

    def __init__(self) -> None:
        self.standing = Standing.ACTIVE
        self.roles = Role.SITE | Role.AGGREGATOR
        self.lost: frozenset[SiteId] = frozenset()

    def ask_again(self) -> None:
        """Do nothing: there is nothing else to learn."""


@dataclass(frozen=True, slots=True)
class VirtualTools(SiteTools):
    """A virtual site's means to act; nobody changes grants or datasets during a rehearsal."""

    known: dict[GrantId, Dataset] = field(default_factory=dict)
    """What was read of the ledger before."""

    def registered(self, grant: GrantId) -> Dataset:
        """Read which data a grant names, once."""
        if grant not in self.known:
            self.known[grant] = SiteTools.registered(self, grant)
        return self.known[grant]
