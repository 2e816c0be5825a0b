"""What virtual sites of one process share, so that it is done once and not for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from fednet.domain.blobs import BlobStore
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, Locator, SiteId
from fednet.domain.ledger import Role, Standing
from fednet.domain.ports import LedgerReader
from fednet.node.reading import RunReading


class SharedStore:
    """Publish and pin once what many sites of one process publish and pin; a `BlobStore`."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._kept: set[Locator] = set()
        self._lock = Lock()

    def locate(self, path: Path) -> Locator:
        """Compute the locator that `publish` will return."""
        return self._store.locate(path)

    def publish(self, path: Path) -> Locator:
        """Serve a file, unless it is served already."""
        locator = self._store.locate(path)
        if self._is_new(locator):
            self._store.publish(path)
        return locator

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Return a verified copy."""
        return self._store.fetch(commitment, locators, size_cap_bytes, timeout_seconds)

    def pin(self, locator: Locator) -> None:
        """Keep a blob; what was published here is kept already."""
        if self._is_new(locator):
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
        """Close the store."""
        self._store.close()

    def _is_new(self, locator: Locator) -> bool:
        with self._lock:
            is_new = locator not in self._kept
            self._kept.add(locator)
        return is_new


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
