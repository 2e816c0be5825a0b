"""The port to the blob store: bytes by commitment, wherever they are served from.

A blob is published under a locator and fetched by its commitment; whoever
served it, bytes that do not hash to the commitment do not exist for us. The
port says nothing about IPFS, and a store keeps no secret: it holds only what
is meant to be read by every member.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from fednet.domain.identity import Commitment, Locator


@dataclass(frozen=True, slots=True)
class FileSpan:
    """A blob that stands inside a larger file and is read there, an archive for example."""

    archive: Path
    offset: int
    size_bytes: int

    @property
    def name(self) -> str:
        """Name the file that it stands in."""
        return self.archive.name

    def read_bytes(self) -> bytes:
        """Read all the bytes."""
        with open_blob(self) as file:
            return file.readall()


class Wanted(NamedTuple):
    """A blob that is to be fetched; the same bytes may be named with other places or bounds."""

    commitment: Commitment
    locator: Locator
    """Where whoever names it says it is."""
    size_cap_bytes: int
    """Upper bound of its size: what is larger is not what is wanted."""


BlobFile: TypeAlias = Path | FileSpan
"""Where the verified bytes of a blob are to be read."""


def open_blob(file: BlobFile) -> io.RawIOBase:
    """Open a blob's bytes for reading, unbuffered, as a file of their own."""
    return _SpanFile(file) if isinstance(file, FileSpan) else file.open("rb", buffering=0)


class _SpanFile(io.RawIOBase):
    def __init__(self, span: FileSpan) -> None:
        super().__init__()
        self._fd = os.open(span.archive, os.O_RDONLY | os.O_CLOEXEC)
        self._at, self._end = span.offset, span.offset + span.size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._end - self._at)]  # type: ignore[arg-type]
        count = os.preadv(self._fd, [view], self._at) if view else 0
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()


class BlobStore(Protocol):
    """Publish and fetch whole blobs; safe to share between threads.

    Every method raises ``StoreUnavailableError`` when the store does not
    answer; ``retryable`` says that asking again may help.
    """

    def locate(self, path: Path) -> Locator:
        """Compute the locator that `publish` will return, publishing nothing.

        Raises:
            StoreError: The file is empty or cannot be read.
        """
        ...

    def publish(self, path: Path) -> Locator:
        """Add the file's bytes, pinned, so that peers can fetch them.

        Raises:
            StoreError: The file is empty, cannot be read, or does not fit on the disk.
        """
        ...

    def publish_all(self, paths: Sequence[Path]) -> list[Locator]:
        """Add several files as `publish` adds one, in as few calls as it takes."""
        ...

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Return a verified local copy, trying the locators in turn.

        The file belongs to the store's cache: read it, never write to it.

        Raises:
            BlobMissingError: Nobody served it within the timeout.
            DigestMismatchError: What was served hashes to something else.
            MalformedBlobError: The piece list is malformed, or the blob over the cap.
        """
        ...

    def pin(self, locator: Locator) -> None:
        """Keep the blob and serve it to others; fetches what is not here yet.

        Raises:
            BlobMissingError: Nobody served it within the store's own timeout.
        """
        ...

    def unpin(self, locator: Locator) -> None:
        """Let go of the blob; letting go of one that is not kept is no error."""
        ...

    def peers(self) -> list[str]:
        """Return the addresses of the peers connected now."""
        ...

    def connect(self, addresses: Sequence[str]) -> None:
        """Dial the peers, and keep trying those that do not answer.

        Raises:
            StoreError: None of the addresses could be reached, or one is no address.
        """
        ...

    def address(self) -> str:
        """Return an address where others can dial this store, or ""."""
        ...

    def close(self) -> None:
        """Release connections and processes; published blobs stay."""
        ...


class ErasingStore(BlobStore, Protocol):
    """A store that can remove bytes from the disk, not only let go of them."""

    def erase(self, commitment: Commitment, locators: Sequence[Locator]) -> bool:
        """Remove a blob and every copy of it that is this store's; others may hold theirs.

        Blocks that the blob shares with another blob of the store go, too: that one
        is then fetched from its other holders.

        Args:
            commitment: Of its bytes.
            locators: Every place that it was named by.

        Returns:
            Whether anything of it was here, or could be fetched to be removed.

        Raises:
            StoreError: The store does not let go of it.
        """
        ...


@runtime_checkable
class InPlaceStore(Protocol):
    """A store whose blobs can be read where they are, without a copy."""

    def find(self, commitment: Commitment, size_cap_bytes: int) -> BlobFile:
        """Return the verified bytes of a blob; raises what `BlobStore.fetch` raises."""
        ...
