"""The next state as a file in its one form, filled by threads in any order."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
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
    """Write one state: chunks by position, then ``finish``."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = path
        head = encode_header(layout, STATE_METADATA)
        self._offset = len(head)
        self._size_bytes = len(head) + layout.data_size_bytes
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
        except OSError as exc:
            raise SettingsError(
                f"cannot write a state: {exc.strerror}", subject=str(self._path)
            ) from exc

    def finish(self) -> WrittenState:
        """Close the file and hash it.

        It is not forced to the disk: whoever loses it computes it again.
        """
        self.close()
        state = hashlib.sha256()
        hash_file(state, self._path)
        return WrittenState(self._path, Commitment(state.digest()), self._size_bytes)

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
