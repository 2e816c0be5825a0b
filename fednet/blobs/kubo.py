"""The blob store over a Kubo node, embedded or external.

Publishing is one call: the pieces and their list, if they need one, travel
together, and their CIDs are compared with our own. Fetching believes nothing: a
list is bounded and parsed strictly, every object is capped and hashed as it
streams to the disk, and a blob appears in the cache only when it hashes to its
commitment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from fednet.blobs.bus import KuboBus
from fednet.blobs.cache import BlobCache, HashingWriter, disk_error
from fednet.blobs.cid import CHUNK_SIZE_BYTES, blocks_of, cid_of, locate_bytes
from fednet.blobs.embedded.supervisor import (
    DEFAULT_LISTEN,
    DEFAULT_MEMORY_CAP_BYTES,
    EmbeddedNode,
)
from fednet.blobs.pieces import (
    LIST_SIZE_CAP_BYTES,
    PIECE_SIZE_BYTES,
    Piece,
    looks_like_list,
    parse,
    scan,
)
from fednet.blobs.rpc import Endpoint, NamedFile, RpcClient
from fednet.blobs.uploads import Bytes, FilePart
from fednet.domain.identity import Commitment, Locator
from fednet.errors import (
    BlobMissingError,
    DigestMismatchError,
    MalformedBlobError,
    StoreError,
    StoreUnavailableError,
    VerificationError,
)

_CALL_TIMEOUT_SECONDS = 15.0
_DIAL_TIMEOUT_SECONDS = 5.0
_OWN_TIMEOUT_SECONDS = 2.0
"""For what is here, or nowhere that matters."""
_PIN_TIMEOUT_SECONDS = 120.0
_UPLOAD_BYTES_PER_SECOND = 1_000_000
"""The slowest disk worth waiting for."""
_MOST_AT_ONCE = 200
_MOST_REMOVED = 64
_NO_LIMIT = 2**62
_PAUSES_SECONDS = (0.05, 0.2, 0.6, 1.2)
"""A killed node gives up its port before it can be seen to have ended."""

_T = TypeVar("_T")


class KuboStore:
    """Publish and fetch blobs through one Kubo RPC."""

    def __init__(
        self,
        rpc_address: str | Callable[[], Endpoint],
        cache_dir: Path,
        *,
        credentials: tuple[str, str] | None = None,
        announce: str = "",
    ) -> None:
        """Connect lazily; nothing is sent before the first call.

        Args:
            rpc_address: Multiaddr or URL of the RPC, or a function that gives
                its endpoint of the moment.
            credentials: User name and password for the RPC, if it wants them.
            announce: Address that others shall dial, where the daemon cannot know it.
        """
        if isinstance(rpc_address, str):
            fixed = Endpoint(rpc_address, credentials)
            self._rpc = RpcClient(lambda: fixed)
        else:
            self._rpc = RpcClient(rpc_address)
        self._cache = BlobCache(cache_dir)
        self._announce = announce
        self.bus = KuboBus(self._rpc)
        """Carries messages between members over the same node."""

    def locate(self, path: Path) -> Locator:
        """Compute the locator that `publish` will return."""
        return scan(path)[0].locate()

    def publish(self, path: Path) -> Locator:
        """Add pieces and piece list, pinned, in one call."""
        return self._add([path])[0]

    def publish_all(self, paths: Sequence[Path]) -> list[Locator]:
        """Add many small files in each call, and a large one in a call of its own."""
        found: list[Locator] = []
        part: list[Path] = []
        size = 0
        for path in paths:
            try:
                size += path.stat().st_size
            except OSError as exc:
                raise disk_error(exc, path) from exc
            part.append(path)
            if len(part) == _MOST_AT_ONCE or size >= PIECE_SIZE_BYTES:
                found += self._add(part)
                part, size = [], 0
        return found + self._add(part) if part else found

    def _add(self, paths: Sequence[Path]) -> list[Locator]:
        """Add files, pinned, in one call, and compare their names with our own."""
        lists = [scan(path)[0] for path in paths]
        size = sum(listed.size_bytes for listed in lists)

        def add() -> list[str]:
            with ExitStack() as stack:
                files: list[NamedFile] = []
                for path, listed in zip(paths, lists, strict=True):
                    try:
                        file = stack.enter_context(path.open("rb", buffering=0))
                    except OSError as exc:
                        raise disk_error(exc, path) from exc
                    files += [FilePart(file, piece.size_bytes) for piece in listed.pieces]
                    if not listed.stands_alone:
                        files.append(Bytes(listed.encode()))
                try:
                    return self._rpc.add(
                        files, _CALL_TIMEOUT_SECONDS + size / _UPLOAD_BYTES_PER_SECOND
                    )
                except OSError as exc:
                    raise disk_error(exc, paths[0]) from exc

        expected = []
        for listed in lists:
            expected += [cid_of(piece.locator) for piece in listed.pieces]
            if not listed.stands_alone:
                expected.append(cid_of(listed.locate()))
        actual = _persistently(add)
        if actual != expected:
            raise StoreError(
                "the store named the bytes otherwise",
                subject=paths[0].name if len(paths) == 1 else f"{len(paths)} files",
                expected=expected[-1],
                actual=actual[-1] if actual else "no answer",
                hint="a file changed while it was published, or the daemon is not Kubo",
            )
        return [listed.locate() for listed in lists]

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Return a verified copy in the cache, trying the locators in turn."""
        if (cached := self._cache.get(commitment, size_cap_bytes)) is not None:
            return cached
        deadline = time.monotonic() + timeout_seconds
        evidence: VerificationError | None = None
        missing: StoreError | None = None
        for position, locator in enumerate(locators):
            left = deadline - time.monotonic()
            until = time.monotonic() + max(0.0, left) / (len(locators) - position)
            try:
                return self._fetch_one(commitment, locator, size_cap_bytes, until)
            except VerificationError as exc:
                evidence = evidence or exc
            except StoreUnavailableError:
                raise
            except StoreError as exc:
                missing = exc
        if evidence is not None:
            raise evidence
        raise BlobMissingError(
            f"nobody served it within {timeout_seconds:g} seconds",
            subject=f"blob {commitment}",
            actual=str(missing) if missing else "no locator is known",
            hint="check that a site that holds it is online and reachable",
        ) from missing

    def pin(self, locator: Locator) -> None:
        """Keep every object of the blob, getting what is missing."""
        deadline = time.monotonic() + _PIN_TIMEOUT_SECONDS
        cids = self._objects(locator, deadline)
        _persistently(lambda: self._rpc.pin_add(cids, _left(deadline)))

    def unpin(self, locator: Locator) -> None:
        """Let go of every object of the blob."""
        try:
            cids = self._objects(locator, time.monotonic() + _CALL_TIMEOUT_SECONDS)
        except BlobMissingError:
            return
        for cid in cids:
            _persistently(partial(self._rpc.pin_rm, cid, _CALL_TIMEOUT_SECONDS))

    def erase(self, commitment: Commitment, locators: Sequence[Locator]) -> bool:
        """Remove every block of the blob from the node, and its copy from the cache."""
        had = self._cache.drop(commitment)
        for locator in locators:
            try:
                cids = self._objects(locator, time.monotonic() + _OWN_TIMEOUT_SECONDS)
            except BlobMissingError:
                continue
            for cid in cids:
                had = self._erase_object(cid) or had
        return had

    def peers(self) -> list[str]:
        """Return the addresses of the peers connected now."""
        return _persistently(lambda: self._rpc.peers(_CALL_TIMEOUT_SECONDS))

    def connect(self, addresses: Sequence[str]) -> None:
        """Dial the peers; some may be away, but not all of them."""
        failures: list[StoreError] = []
        for address in addresses:
            try:
                _persistently(partial(self._rpc.connect, address, _DIAL_TIMEOUT_SECONDS))
            except StoreUnavailableError:
                raise
            except StoreError as exc:
                failures.append(exc)
        if failures and len(failures) == len(addresses):
            raise StoreError(
                "no peer could be reached",
                subject=", ".join(addresses)[:300],
                actual=failures[0].actual or failures[0].message,
                hint="check the addresses, and that all hold the same swarm key",
            ) from failures[0]

    def address(self) -> str:
        """Return an address where others can dial this node, or ""."""
        if self._announce:
            return self._announce
        addresses = _persistently(lambda: self._rpc.identity(_CALL_TIMEOUT_SECONDS))
        usable = [address for address in addresses if "/tcp/" in address]
        usable.sort(key=lambda address: address.startswith(("/ip4/127.", "/ip6/::1/")))
        return usable[0] if usable else ""

    def close(self) -> None:
        """Close the connections to the RPC, and listen no more."""
        self.bus.close()
        self._rpc.close()

    def _fetch_one(
        self, commitment: Commitment, locator: Locator, size_cap_bytes: int, deadline: float
    ) -> Path:
        with self._cache.put(commitment) as writer:
            head = self._copy_object(locator, writer, size_cap_bytes, deadline)
            if writer.commitment() != commitment and looks_like_list(head):
                listed = parse(head, size_cap_bytes, f"piece list {locator}")
                writer.restart_part()
                for piece in listed.pieces:
                    self._copy_piece(piece, writer, deadline)
        return self._cache.path(commitment)

    def _copy_object(
        self, locator: Locator, writer: HashingWriter, size_cap_bytes: int, deadline: float
    ) -> bytes:
        """Copy what a locator names, a blob or a list; return its beginning."""
        cid, head = cid_of(locator), bytearray()
        size_cap_bytes = min(size_cap_bytes, PIECE_SIZE_BYTES)

        def write(data: bytes) -> None:
            writer.write(data)
            head.extend(data[: LIST_SIZE_CAP_BYTES + 1 - len(head)])

        def copy() -> int:
            writer.restart_part()
            head.clear()
            return self._rpc.cat(
                cid, max(size_cap_bytes, LIST_SIZE_CAP_BYTES), _left(deadline), write
            )

        received = _persistently(copy)
        # A transfer that breaks off ends with a whole chunk; a blob seldom does.
        if received % CHUNK_SIZE_BYTES == 0 and writer.part_locator() != locator:
            raise _cut_short(cid)
        if received > size_cap_bytes and not looks_like_list(head):
            raise MalformedBlobError(
                "blob over its size cap",
                subject=f"object {cid}",
                expected=f"at most {size_cap_bytes} bytes",
            )
        return bytes(head)

    def _erase_object(self, cid: str) -> bool:
        """Unpin an object and remove its blocks; tell whether it was to be had."""
        data, deadline = bytearray(), time.monotonic() + _OWN_TIMEOUT_SECONDS
        try:
            self._rpc.cat(cid, PIECE_SIZE_BYTES, _left(deadline), data.extend)
        except BlobMissingError:
            return False
        _persistently(partial(self._rpc.pin_rm, cid, _CALL_TIMEOUT_SECONDS))
        cids = [cid_of(block) for block in blocks_of(memoryview(data))]
        for at in range(0, len(cids), _MOST_REMOVED):
            part = cids[at : at + _MOST_REMOVED]
            _persistently(partial(self._rpc.block_rm, part, _CALL_TIMEOUT_SECONDS))
        return True

    def _objects(self, locator: Locator, deadline: float) -> list[str]:
        """List the CIDs that a blob consists of, from what its locator names."""

        def read() -> bytes:
            data = bytearray()
            self._rpc.cat(cid_of(locator), LIST_SIZE_CAP_BYTES, _left(deadline), data.extend)
            return bytes(data)

        data = _persistently(read)
        if not looks_like_list(data):
            return [cid_of(locator)]
        if locate_bytes(data) != locator:
            raise _cut_short(cid_of(locator))
        return [*parse(data, _NO_LIMIT, f"piece list {locator}").cids, cid_of(locator)]

    def _copy_piece(self, piece: Piece, writer: HashingWriter, deadline: float) -> None:
        cid = cid_of(piece.locator)
        writer.begin_part()

        def copy() -> int:
            writer.restart_part()
            return self._rpc.cat(cid, piece.size_bytes, _left(deadline), writer.write)

        received = _persistently(copy)
        actual = writer.part_commitment()
        if received == piece.size_bytes and actual == piece.commitment:
            return
        if received < piece.size_bytes and writer.part_locator() != piece.locator:
            raise _cut_short(cid)
        if received != piece.size_bytes:
            raise MalformedBlobError(
                "piece is not of its listed size", subject=f"piece {cid}", expected=piece.size_bytes
            )
        raise DigestMismatchError(
            "piece does not match its list",
            subject=f"piece {cid}",
            expected=piece.commitment,
            actual=actual,
        )


class EmbeddedStore(KuboStore):
    """A KuboStore that owns the embedded node it speaks to."""

    def __init__(
        self,
        repo: Path,
        cache_dir: Path,
        *,
        swarm_key: bytes | None = None,
        listen: str = DEFAULT_LISTEN,
        announce: str = "",
        memory_cap_bytes: int = DEFAULT_MEMORY_CAP_BYTES,
        is_brief: bool = False,
    ) -> None:
        """Start the node; the arguments are those of `EmbeddedNode`."""
        self.node = EmbeddedNode(
            repo,
            swarm_key=swarm_key,
            listen=listen,
            memory_cap_bytes=memory_cap_bytes,
            is_brief=is_brief,
        )
        super().__init__(self.node.endpoint, cache_dir, announce=announce)
        self.node.endpoint()

    def close(self) -> None:
        """Close the connections and stop the node."""
        super().close()
        self.node.close()


def _persistently(call: Callable[[], _T]) -> _T:
    """Ask again: a kept connection may have died, a node may be starting anew."""
    for pause in _PAUSES_SECONDS:
        try:
            return call()
        except StoreUnavailableError:
            time.sleep(pause)
    return call()


def _cut_short(cid: str) -> BlobMissingError:
    """Blame the transfer, not the publisher, for bytes that are not the CID's."""
    return BlobMissingError("the transfer was cut short", subject=f"object {cid}")


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
