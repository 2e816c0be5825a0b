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


class TensorFile:
    """Read one canonical tensor file; its data is one flat float32 vector.

    Args:
        path: The file, or where in one the tensors stand.
        size_limit_bytes: Refuse a larger file before reading any of it.
        subject: What the file is, for errors.

    Raises:
        MalformedBlobError: Too large, or not the canonical form of any tensors.
        SettingsError: The file cannot be opened.
    """

    def __init__(self, path: BlobFile, subject: str, size_limit_bytes: int | None = None) -> None:
        self.path = path
        self.subject = subject
        self._start = path.offset if isinstance(path, FileSpan) else 0
        self._fd = self._open()
        try:
            self.header = self._read_header(size_limit_bytes)
        except BaseException:
            self.close()
            raise

    @property
    def layout(self) -> Layout:
        """Return what the file's tensors are."""
        return self.header.layout

    @property
    def metadata(self) -> dict[str, object]:
        """Return what the file says of its tensors, unchecked."""
        return self.header.metadata

    @property
    def element_count(self) -> int:
        """Count the elements of the flat vector."""
        return self.header.layout.element_count

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on.

        Raises:
            MalformedBlobError: The file was cut short since it was opened.
        """
        offset = self._start + self.header.data_offset + start * ELEMENT_SIZE_BYTES
        if self._fd >= 0:
            self._pread(self._fd, offset, out.data.cast("B"))
            return
        fd = self._open()
        try:
            self._pread(fd, offset, out.data.cast("B"))
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

    def _read_header(self, size_limit_bytes: int | None) -> TensorHeader:
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
        return parse_header(bytes(head), size_bytes, self.subject)

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
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise TypeError(f"tensor {name} is {array.dtype}, not float32")
    parts = [memoryview(encode_header(Layout.of(arrays), metadata))]
    for name in sorted(arrays):
        flat = np.ascontiguousarray(arrays[name], dtype="<f4").reshape(-1)
        parts.append(flat.data.cast("B"))
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
