"""A blob store without a network, for unit tests; shipped, like every double.

Stores made with one `MemorySwarm` find each other's blobs when they are
connected. It passes the same conformance suite as the real ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from fednet.blobs.cache import BlobCache, disk_error
from fednet.blobs.pieces import looks_like_list, parse, scan
from fednet.domain.identity import Commitment, Locator
from fednet.errors import BlobMissingError, MalformedBlobError, StoreError, VerificationError

_ADDRESS_HEAD = "/memory/"
_NO_LIMIT = 2**62


class MemorySwarm:
    """Hold the stores that can reach each other, and what each of them serves."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stores: list[MemoryStore] = []


class MemoryStore:
    """Serve blobs to the other stores of one swarm."""

    def __init__(self, swarm: MemorySwarm, cache_dir: Path) -> None:
        self._swarm = swarm
        self._cache = BlobCache(cache_dir)
        self._objects: dict[Locator, bytes] = {}
        self._peers: set[str] = set()
        with swarm.lock:
            self._address = f"{_ADDRESS_HEAD}{len(swarm.stores)}"
            swarm.stores.append(self)

    def locate(self, path: Path) -> Locator:
        """Compute the locator that `publish` will return."""
        return scan(path)[0].locate()

    def publish(self, path: Path) -> Locator:
        """Keep pieces and piece list in memory."""
        listed, _ = scan(path)
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise disk_error(exc, path) from exc
        offset = 0
        for piece in listed.pieces:
            self.put_object(piece.locator, data[offset : offset + piece.size_bytes])
            offset += piece.size_bytes
        if not listed.stands_alone:
            self.put_object(listed.locate(), listed.encode())
        return listed.locate()

    def publish_all(self, paths: Sequence[Path]) -> list[Locator]:
        """Keep each file in memory."""
        return [self.publish(path) for path in paths]

    def put_object(self, locator: Locator, data: bytes) -> None:
        """Serve these bytes under this name, true or not (tests lie with it)."""
        with self._swarm.lock:
            self._objects[locator] = data

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Return a verified copy; what is missing is missing at once."""
        if (cached := self._cache.get(commitment, size_cap_bytes)) is not None:
            return cached
        evidence: VerificationError | None = None
        for locator in locators:
            try:
                with self._cache.put(commitment) as writer:
                    for data in self._parts(commitment, locator, size_cap_bytes):
                        writer.write(data)
                return self._cache.path(commitment)
            except VerificationError as exc:
                evidence = evidence or exc
            except BlobMissingError:
                continue
        if evidence is not None:
            raise evidence
        raise BlobMissingError(
            f"nobody served it within {timeout_seconds:g} seconds", subject=f"blob {commitment}"
        )

    def pin(self, locator: Locator) -> None:
        """Copy the objects, so that they are served from here too."""
        first = self._object(locator)
        names = [locator]
        if looks_like_list(first):
            listed = parse(first, _NO_LIMIT, f"piece list {locator}")
            names += [piece.locator for piece in listed.pieces]
        for name in names:
            self.put_object(name, self._object(name))

    def unpin(self, locator: Locator) -> None:
        """Do nothing: an unpinned object goes when the disk is needed, and here is none."""

    def erase(self, commitment: Commitment, locators: Sequence[Locator]) -> bool:
        """Remove the objects of the blob, and its copy from the cache."""
        had = self._cache.drop(commitment)
        with self._swarm.lock:
            for locator in locators:
                first = self._objects.pop(locator, None)
                had = had or first is not None
                if first is not None and looks_like_list(first):
                    listed = parse(first, _NO_LIMIT, f"piece list {locator}")
                    for piece in listed.pieces:
                        self._objects.pop(piece.locator, None)
        return had

    def peers(self) -> list[str]:
        """Return the addresses of the peers connected now."""
        with self._swarm.lock:
            return sorted(self._peers)

    def connect(self, addresses: Sequence[str]) -> None:
        """Connect both ways with the stores that live at the addresses."""
        found = 0
        with self._swarm.lock:
            for store in self._swarm.stores:
                if store._address in addresses and store is not self:
                    self._peers.add(store._address)
                    store._peers.add(self._address)
                    found += 1
        if addresses and not found:
            raise StoreError("no peer could be reached", subject=", ".join(addresses)[:300])

    def address(self) -> str:
        """Return an address for the other stores of the swarm."""
        return self._address

    def close(self) -> None:
        """Leave the swarm."""
        with self._swarm.lock:
            self._objects.clear()
            for store in self._swarm.stores:
                store._peers.discard(self._address)

    def _parts(
        self, commitment: Commitment, locator: Locator, size_cap_bytes: int
    ) -> Iterator[bytes]:
        """Yield a blob's bytes, which its locator names alone or by a list."""
        first = self._object(locator)
        if Commitment.of(first) == commitment or not looks_like_list(first):
            if len(first) > size_cap_bytes:
                raise MalformedBlobError(
                    "blob over its size cap",
                    subject=f"object {locator}",
                    expected=f"at most {size_cap_bytes} bytes",
                )
            yield first
            return
        for piece in parse(first, size_cap_bytes, f"piece list {locator}").pieces:
            data = self._object(piece.locator)
            if len(data) != piece.size_bytes:
                raise MalformedBlobError(
                    "piece is not of its listed size",
                    subject=f"piece {piece.locator}",
                    expected=piece.size_bytes,
                )
            piece.commitment.verify(data, f"piece {piece.locator}")
            yield data

    def _object(self, locator: Locator) -> bytes:
        with self._swarm.lock:
            if locator in self._objects:
                return self._objects[locator]
            for store in self._swarm.stores:
                if store._address in self._peers and locator in store._objects:
                    return store._objects[locator]
        raise BlobMissingError("nobody serves it", subject=f"object {locator}")
