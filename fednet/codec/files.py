"""One tensor file on disk, read in chunks into buffers that the caller owns.

Files are read with ``pread``, not mapped: a mapped file would count towards the
memory of whoever reads it, and fifty of them would look like fifty models. The
header is checked on opening; what the values are worth is for others to judge.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fednet.domain.blobs import BlobFile, FileSpan
from fednet.domain.identity import Commitment
from fednet.domain.tensors import (
    ELEMENT_SIZE_BYTES,
    FLOAT32,
    LENGTH_SIZE_BYTES,
    FloatArray,
    Layout,
    TensorHeader,
    encode_header,
    header_size_bytes,
    parse_header,
)
from fednet.errors import MalformedBlobError, SettingsError

CHUNK_ELEMENTS = 1 << 16
"""Elements read at a time; with their float64 twins they stay in a core's own cache."""

HEADER_SLACK_BYTES = 4_096
"""What a manifest may add to a header beyond a state's."""
SHORTEST_ENTRY_BYTES = 50
"""What a header spends on a tensor at the very least."""


class RawFile:
    """Read the bytes of one canonical tensor file, from any thread.

    Args:
        path: The file, or where in one the tensors stand.
        subject: What the file is, for errors.
        size_limit_bytes: Refuse a larger file before reading any of it.
        dtypes: What its tensors may be.

    Raises:
        MalformedBlobError: Too large, or not the canonical form of any such tensors.
        SettingsError: The file cannot be opened.
    """

    def __init__(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int | None = None,
        dtypes: frozenset[str] = frozenset({FLOAT32}),
    ) -> None:
        self.path = path
        self.subject = subject
        self._start = path.offset if isinstance(path, FileSpan) else 0
        self._fd = self._open()
        try:
            self.header = self._read_header(size_limit_bytes, dtypes)
        except BaseException:
            self.close()
            raise
        # What the tensors decode to; files of codecs that pack them say something else.
        self.layout = self.header.layout

    @property
    def element_count(self) -> int:
        """Count the elements of the flat vector."""
        return self.layout.element_count

    @property
    def metadata(self) -> Mapping[str, object]:
        """Return what the file says of its tensors, unchecked."""
        return self.header.metadata

    def read_bytes_into(self, start: int, view: memoryview) -> None:
        """Fill a buffer with the data's bytes from ``start`` on.

        Raises:
            MalformedBlobError: The file was cut short since it was opened.
        """
        offset = self._start + self.header.data_offset + start
        if self._fd >= 0:
            self._pread(self._fd, offset, view)
            return
        fd = self._open()
        try:
            self._pread(fd, offset, view)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the file; a later read opens it again for as long as it lasts."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_header(self, size_limit_bytes: int | None, dtypes: frozenset[str]) -> TensorHeader:
        if isinstance(self.path, FileSpan):
            size_bytes = self.path.size_bytes
        else:
            size_bytes = os.fstat(self._fd).st_size
        if size_limit_bytes is not None and size_bytes > size_limit_bytes:
            raise MalformedBlobError(
                "is too large",
                subject=self.subject,
                expected=f"at most {size_limit_bytes} bytes",
                actual=f"{size_bytes} bytes",
            )
        prefix = os.pread(self._fd, min(LENGTH_SIZE_BYTES, size_bytes), self._start)
        head_size = min(header_size_bytes(prefix, self.subject), size_bytes)
        head = bytearray(head_size)
        self._pread(self._fd, self._start, memoryview(head))
        return parse_header(bytes(head), size_bytes, self.subject, dtypes)

    def _open(self) -> int:
        try:
            path = self.path.archive if isinstance(self.path, FileSpan) else self.path
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise SettingsError(
                f"cannot be read: {exc.strerror}", subject=self.subject, actual=self.path.name
            ) from exc

    def _pread(self, fd: int, offset: int, view: memoryview) -> None:
        while view:
            try:
                count = os.preadv(fd, [view], offset)
            except OSError as exc:
                raise SettingsError(
                    f"cannot be read: {exc.strerror}", subject=self.subject, actual=self.path.name
                ) from exc
            if count == 0:
                raise MalformedBlobError("was cut short while being read", subject=self.subject)
            offset += count
            view = view[count:]


class TensorFile(RawFile):
    """Read one canonical file of float32 tensors; its data is one flat vector.

    Args:
        path: The file, or where in one the tensors stand.
        subject: What the file is, for errors.
        size_limit_bytes: Refuse a larger file before reading any of it.

    Raises:
        MalformedBlobError: Too large, or not the canonical form of any tensors.
        SettingsError: The file cannot be opened.
    """

    def __init__(self, path: BlobFile, subject: str, size_limit_bytes: int | None = None) -> None:
        super().__init__(path, subject, size_limit_bytes)

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on.

        Raises:
            MalformedBlobError: The file was cut short since it was opened.
        """
        self.read_bytes_into(start * ELEMENT_SIZE_BYTES, out.data.cast("B"))


def write_tensors(
    path: Path, arrays: Mapping[str, FloatArray], metadata: Mapping[str, object]
) -> Commitment:
    """Write named float32 arrays as a canonical file, durably, and commit to its bytes.

    The bytes are those of ``fednet.domain.tensors.encode_tensors``, written
    without a second copy in memory. Either the complete file appears or none.

    Raises:
        TypeError: An array is not float32.
        SettingsError: The file cannot be written.
    """
    require_float32(arrays)
    layout = Layout.of(arrays)
    flats = (
        np.ascontiguousarray(arrays[spec.name], dtype="<f4").reshape(-1) for spec in layout.tensors
    )
    return write_parts(path, layout, metadata, [flat.data.cast("B") for flat in flats])


def require_float32(arrays: Mapping[str, FloatArray]) -> None:
    """Raise ``TypeError`` unless every array is float32."""
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise TypeError(f"tensor {name} is {array.dtype}, not float32")


def write_parts(
    path: Path, layout: Layout, metadata: Mapping[str, object], data: Sequence[memoryview]
) -> Commitment:
    """Write a canonical file from the bytes of its tensors, durably, and commit to it.

    Args:
        path: Where the file goes; replaced whole or not at all.
        layout: Its tensors, in whatever dtypes.
        metadata: What the file says of them.
        data: Their bytes, in the order of the layout.

    Raises:
        SettingsError: The file cannot be written.
    """
    parts = [memoryview(encode_header(layout, metadata)), *data]
    _write_durably(path, parts)
    return Commitment.of(*parts)


def _write_durably(path: Path, parts: Sequence[memoryview]) -> None:
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as exc:
        unfinished.unlink(missing_ok=True)
        raise SettingsError(
            f"cannot be written: {exc.strerror}",
            subject=path.name,
            hint="check that the folder exists and that the disk has room",
        ) from exc
