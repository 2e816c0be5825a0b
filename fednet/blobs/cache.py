"""Verified copies on this disk, named by commitment, hashed again on every read.

Nothing here is the only copy of anything: an altered file is dropped and the
caller fetches it again. What the cache may grow to is not bounded here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fednet.blobs.cid import locate_file
from fednet.domain.identity import Commitment, Locator
from fednet.errors import DigestMismatchError, StoreError

_READ_SIZE_BYTES = 1024 * 1024


class BlobCache:
    """Keep blobs in one folder, each in a file named by its commitment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise disk_error(exc, folder) from exc

    def get(self, commitment: Commitment, size_cap_bytes: int) -> Path | None:
        """Return the copy if it is here, under the cap, and still hashes right."""
        path = self.path(commitment)
        try:
            with path.open("rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_size > size_cap_bytes:
                    return None
                if hash_file(file) == commitment:
                    return path
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise disk_error(exc, path) from exc
        path.unlink(missing_ok=True)
        return None

    def path(self, commitment: Commitment) -> Path:
        """Name the file that a blob has once it is here."""
        return self._folder / commitment.hex()

    def drop(self, commitment: Commitment) -> bool:
        """Remove the copy, if it is here; tell whether it was."""
        path = self.path(commitment)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise disk_error(exc, path) from exc
        return True

    @contextlib.contextmanager
    def put(self, commitment: Commitment) -> Iterator[HashingWriter]:
        """Write a blob that appears, whole and durable, only if it hashes right.

        Raises:
            DigestMismatchError: The bytes written hash to something else.
            StoreError: The disk is full or not writable.
        """
        temporary: Path | None = None
        try:
            handle, name = tempfile.mkstemp(prefix="part-", dir=self._folder)
            temporary = Path(name)
            with os.fdopen(handle, "w+b") as file:
                writer = HashingWriter(file)
                yield writer
                actual = writer.commitment()
                if actual != commitment:
                    raise DigestMismatchError(
                        "bytes do not match their commitment",
                        subject=f"blob {commitment}",
                        expected=commitment,
                        actual=actual,
                    )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path(commitment))
            temporary = None
        except OSError as exc:
            raise disk_error(exc, self._folder) from exc
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


class HashingWriter:
    """Write a blob part by part, hashing each part and the whole on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._whole = hashlib.sha256()
        self.begin_part()

    def begin_part(self) -> None:
        """Take what is written so far as good, and start the next part."""
        self._start = self._file.tell()
        self._whole_at_start = self._whole.copy()
        self._part = hashlib.sha256()

    def restart_part(self) -> None:
        """Forget what was written of this part."""
        if self._file.tell() != self._start:
            self._file.seek(self._start)
            self._file.truncate()
            self._whole = self._whole_at_start.copy()
            self._part = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append the bytes."""
        self._file.write(data)
        self._whole.update(data)
        self._part.update(data)

    def part_commitment(self) -> Commitment:
        """Return the hash of this part so far."""
        return Commitment(self._part.digest())

    def part_locator(self) -> Locator:
        """Compute the digest of the CIDv0 that this part so far would have."""
        self._file.seek(self._start)
        return locate_file(self._file)

    def commitment(self) -> Commitment:
        """Return the hash of everything written so far."""
        return Commitment(self._whole.digest())


def hash_file(file: BinaryIO) -> Commitment:
    """Hash an open file from here to its end, in constant memory."""
    state = hashlib.sha256()
    while chunk := file.read(_READ_SIZE_BYTES):
        state.update(chunk)
    return Commitment(state.digest())


def disk_error(exc: OSError, path: Path) -> StoreError:
    """Translate an error of the file system."""
    return StoreError(
        "cannot use the disk",
        subject=str(path),
        actual=exc.strerror or str(exc),
        hint="free disk space, or check who owns the folder",
    )
