"""The next state as a file in its one form, filled by threads in any order."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import Protocol

from fednet.domain.blobs import BlobFile, open_blob
from fednet.domain.identity import Commitment
from fednet.domain.tensors import ELEMENT_SIZE_BYTES, FloatArray, Layout, encode_header
from fednet.domain.update import STATE_METADATA
from fednet.errors import SettingsError

BLOCK_SIZE_BYTES = 1 << 20


class Hash(Protocol):
    """The part of a hashlib object that is fed here."""

    def update(self, data: memoryview, /) -> None:
        """Take in bytes."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenState:
    """A complete state on disk."""

    path: Path
    commitment: Commitment
    size_bytes: int


class StateWriter:
    """Write one state: chunks by position, then ``finish``.

    Whoever writes a chunk also hashes what is complete up to there, so that no
    thread waits for the others while one of them hashes the whole at the end.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = path
        head = encode_header(layout, STATE_METADATA)
        self._offset = len(head)
        self._size_bytes = len(head) + layout.data_size_bytes
        self._ends: dict[int, int] = {}
        self._complete = 0
        self._hashed_bytes = 0
        self._hash = hashlib.sha256()
        self._noting, self._hashing = Lock(), Lock()
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            self._pwrite(memoryview(head), 0)
        except OSError as exc:
            raise SettingsError(f"cannot write a state: {exc.strerror}", subject=str(path)) from exc

    def write(self, start: int, values: FloatArray) -> None:
        """Put elements at their place; threads may write disjoint places at once."""
        view = values.data.cast("B")
        try:
            self._pwrite(view, self._offset + start * ELEMENT_SIZE_BYTES)
            self._note(start, start + values.size)
            if self._hashing.acquire(blocking=False):
                try:
                    self._hash_up_to(self._complete, BLOCK_SIZE_BYTES)
                finally:
                    self._hashing.release()
        except OSError as exc:
            raise SettingsError(
                f"cannot write a state: {exc.strerror}", subject=str(self._path)
            ) from exc

    def finish(self) -> WrittenState:
        """Close the file and commit to it; every element has been written.

        It is not forced to the disk: whoever loses it computes it again.
        """
        try:
            self._hash_up_to(self._complete, 1)
        except OSError as exc:
            raise SettingsError(f"cannot be read: {exc.strerror}", subject=str(self._path)) from exc
        self.close()
        if self._hashed_bytes != self._size_bytes:
            raise RuntimeError("a state was finished before all of it was written")
        return WrittenState(self._path, Commitment(self._hash.digest()), self._size_bytes)

    def _note(self, start: int, end: int) -> None:
        """Remember what is written, and how far it is without a gap."""
        with self._noting:
            self._ends[start] = end
            while self._complete in self._ends:
                self._complete = self._ends.pop(self._complete)

    def _hash_up_to(self, elements: int, least_bytes: int) -> None:
        """Hash what is written up to an element, if it is worth the while."""
        end = self._offset + elements * ELEMENT_SIZE_BYTES
        while end - self._hashed_bytes >= least_bytes:
            data = os.pread(
                self._fd, min(BLOCK_SIZE_BYTES, end - self._hashed_bytes), self._hashed_bytes
            )
            if not data:
                raise OSError(EIO, "was cut short")
            self._hash.update(data)
            self._hashed_bytes += len(data)

    def close(self) -> None:
        """Let go of the file, complete or not."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _pwrite(self, view: memoryview, offset: int) -> None:
        while view:
            count = os.pwrite(self._fd, view, offset)
            offset += count
            view = view[count:]


def hash_file(state: Hash, path: BlobFile) -> None:
    """Feed a file's complete bytes to a hash through one small buffer."""
    buffer = bytearray(BLOCK_SIZE_BYTES)
    view = memoryview(buffer)
    try:
        with open_blob(path) as file:
            while count := file.readinto(buffer):
                state.update(view[:count])
    except OSError as exc:
        raise SettingsError(f"cannot be read: {exc.strerror}", subject=str(path)) from exc
