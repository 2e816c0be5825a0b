"""What is handed to the RPC to be uploaded: parts of a file, and bytes at hand."""

from __future__ import annotations

from typing import BinaryIO


class Bytes:
    """Bytes to upload, under a name of their own."""

    name = "pieces.json"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        block, self._data = self._data[:size], self._data[size:]
        return block


class FilePart:
    """The next so many bytes of an open file, to upload."""

    name = "piece"

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block
