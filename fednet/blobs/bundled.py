"""A read-only store over the blobs that stand in one archive, where they are read in place."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fednet.blobs.cache import disk_error
from fednet.blobs.pieces import scan
from fednet.domain.blobs import FileSpan, open_blob
from fednet.domain.identity import Commitment, Locator
from fednet.errors import (
    BlobMissingError,
    DigestMismatchError,
    MalformedBlobError,
    StoreError,
)

_COPY_SIZE_BYTES = 1 << 20


class BundledStore:
    """Implement the store over spans of a file; locators mean nothing here.

    Args:
        spans: Where each blob's bytes are said to stand.
        work_dir: Existing folder for copies; None for the system's.
    """

    def __init__(self, spans: Mapping[Commitment, FileSpan], work_dir: Path | None = None) -> None:
        self._spans = spans
        self._copies = TemporaryDirectory(prefix="bundle-", dir=work_dir)
        self._lock = threading.Lock()

    def find(self, commitment: Commitment, size_cap_bytes: int) -> FileSpan:
        """Return where the blob's bytes stand, having hashed them.

        Raises:
            BlobMissingError: The bundle does not hold it.
            DigestMismatchError: What it holds hashes to something else.
            MalformedBlobError: It is larger than the cap.
        """
        span, subject = self._spans.get(commitment), f"blob {commitment}"
        if span is None:
            raise BlobMissingError("the bundle does not hold it", subject=subject)
        if span.size_bytes > size_cap_bytes:
            raise MalformedBlobError(
                "is too large",
                subject=subject,
                expected=f"at most {size_cap_bytes} bytes",
                actual=span.size_bytes,
            )
        actual = _hash(span)
        if actual != commitment:
            raise DigestMismatchError(
                "bytes do not match their commitment",
                subject=subject,
                expected=commitment,
                actual=actual,
            )
        return span

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        """Copy a blob out of the archive, once."""
        span = self.find(commitment, size_cap_bytes)
        path = Path(self._copies.name) / commitment.hex()
        with self._lock:
            if not path.exists():
                try:
                    with open_blob(span) as source, path.open("wb") as target:
                        shutil.copyfileobj(source, target, _COPY_SIZE_BYTES)
                except OSError as exc:
                    path.unlink(missing_ok=True)
                    raise disk_error(exc, path) from exc
        return path

    def locate(self, path: Path) -> Locator:
        """Compute the locator that another store would publish the file under."""
        return scan(path)[0].locate()

    def publish(self, path: Path) -> Locator:
        """Refuse: an archive only gives."""
        raise _read_only()

    def publish_all(self, paths: Sequence[Path]) -> list[Locator]:
        """Refuse: an archive only gives."""
        raise _read_only()

    def pin(self, locator: Locator) -> None:
        """Refuse: an archive only gives."""
        raise _read_only()

    def unpin(self, locator: Locator) -> None:
        """Refuse: an archive only gives."""
        raise _read_only()

    def peers(self) -> list[str]:
        """Nobody is connected."""
        return []

    def connect(self, addresses: Sequence[str]) -> None:
        """Refuse: there is no network."""
        raise _read_only()

    def address(self) -> str:
        """Nobody can dial an archive."""
        return ""

    def close(self) -> None:
        """Remove the copies."""
        self._copies.cleanup()


def _hash(span: FileSpan) -> Commitment:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_COPY_SIZE_BYTES))
    try:
        with open_blob(span) as file:
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
    except OSError as exc:
        raise disk_error(exc, span.archive) from exc
    return Commitment(digest.digest())


def _read_only() -> StoreError:
    return StoreError("a bundle is only read", hint="use a store of the network")
