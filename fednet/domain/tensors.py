"""One byte form for tensors: safetensors with one header spelling.

A file is eight bytes of little-endian header length, a canonical JSON header
padded with spaces to a multiple of eight, and the tensors' bytes in the order
of their sorted names without a gap. Every tensor of a state is little-endian
float32, so its data is also one flat vector; an update's may have the other
dtypes that its codec writes. Any safetensors reader reads it; files written
otherwise are refused here. Format:
https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from fednet.domain import canonical
from fednet.errors import MalformedBlobError, ShapeMismatchError

FloatArray = npt.NDArray[np.float32]

ELEMENT_SIZE_BYTES = 4
FLOAT32 = "F32"
DTYPE_SIZES_BYTES = {
    FLOAT32: ELEMENT_SIZE_BYTES, "BF16": 2, "I8": 1, "U8": 1, "U32": 4, "U64": 8,
}  # fmt: skip
"""Dtypes by their names in a safetensors header."""
MAX_HEADER_SIZE_BYTES = 1 << 20
LENGTH_SIZE_BYTES = 8
_REMEMBERED_SIZE_BYTES = 1 << 13
_MAX_DIMENSIONS = 8
_MAX_NAME_LENGTH = 256
_METADATA_KEY = "fednet"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name one tensor and its shape; float32 unless it stands in a packed file."""

    name: str
    shape: tuple[int, ...]
    dtype: str = FLOAT32
    """One of ``DTYPE_SIZES_BYTES``."""

    @property
    def element_count(self) -> int:
        """Count the elements; a scalar has one."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Size of the tensor's bytes."""
        return self.element_count * DTYPE_SIZES_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Layout:
    """List the tensors of a model, sorted by name; the shape of every update."""

    tensors: tuple[TensorSpec, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, FloatArray]) -> Self:
        """Describe named arrays."""
        return cls(tuple(TensorSpec(name, arrays[name].shape) for name in sorted(arrays)))

    @property
    def element_count(self) -> int:
        """Count the elements of all tensors together."""
        return sum(spec.element_count for spec in self.tensors)

    @property
    def data_size_bytes(self) -> int:
        """Size of the tensors' bytes without the header."""
        return sum(spec.size_bytes for spec in self.tensors)


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """What stands before the data of a file."""

    layout: Layout
    metadata: Mapping[str, object]
    """What fednet says about the tensors: the manifest of an update, for example."""
    data_offset: int
    """Bytes before the first element."""

    @property
    def file_size_bytes(self) -> int:
        """Size that the complete file must have."""
        return self.data_offset + self.layout.data_size_bytes


def encode_header(layout: Layout, metadata: Mapping[str, object]) -> bytes:
    """Return the bytes that precede the data, their length included."""
    header: dict[str, object] = {
        "__metadata__": {_METADATA_KEY: canonical.encode(metadata).decode("utf-8")}
    }
    position = 0
    for spec in layout.tensors:
        end = position + spec.size_bytes
        header[spec.name] = {
            "data_offsets": [position, end],
            "dtype": spec.dtype,
            "shape": list(spec.shape),
        }
        position = end
    text = canonical.encode(header)
    text += b" " * (-len(text) % LENGTH_SIZE_BYTES)
    return len(text).to_bytes(LENGTH_SIZE_BYTES, "little") + text


def encode_tensors(arrays: Mapping[str, FloatArray], metadata: Mapping[str, object]) -> bytes:
    """Return the complete canonical file of named float32 arrays.

    Raises:
        TypeError: An array is not float32.
    """
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise TypeError(f"tensor {name} is {array.dtype}, not float32")
    parts = [encode_header(Layout.of(arrays), metadata)]
    parts += [np.ascontiguousarray(arrays[name], dtype="<f4").tobytes() for name in sorted(arrays)]
    return b"".join(parts)


def header_size_bytes(prefix: bytes, subject: str) -> int:
    """Read how many bytes precede the data from a file's first eight bytes."""
    if len(prefix) < LENGTH_SIZE_BYTES:
        raise MalformedBlobError("truncated before its header", subject=subject)
    length = int.from_bytes(prefix[:LENGTH_SIZE_BYTES], "little")
    if not 0 < length <= MAX_HEADER_SIZE_BYTES:
        raise MalformedBlobError(
            "header length is impossible",
            subject=subject,
            expected=f"1..{MAX_HEADER_SIZE_BYTES} bytes",
            actual=length,
        )
    return LENGTH_SIZE_BYTES + length


def parse_header(
    head: bytes,
    total_size_bytes: int,
    subject: str,
    dtypes: frozenset[str] = frozenset({FLOAT32}),
) -> TensorHeader:
    """Read and check the header of a canonical tensor file.

    Args:
        head: At least the first ``header_size_bytes`` bytes of the file.
        total_size_bytes: Size of the complete file.
        subject: What the file is, for the error.
        dtypes: What its tensors may be.

    Raises:
        MalformedBlobError: The bytes are not the canonical form of any such tensors.
    """
    size = header_size_bytes(head, subject)
    if len(head) < size or total_size_bytes < size:
        raise MalformedBlobError("truncated inside its header", subject=subject)
    if size > _REMEMBERED_SIZE_BYTES:
        return _parse(head[:size], total_size_bytes, subject, dtypes)
    try:
        return _parse_once(head[:size], total_size_bytes, dtypes)
    except MalformedBlobError:
        return _parse(head[:size], total_size_bytes, subject, dtypes)


@lru_cache(maxsize=256)
def _parse_once(head: bytes, total_size_bytes: int, dtypes: frozenset[str]) -> TensorHeader:
    """Parse a header that is likely to come again: every file of a round has the same layout."""
    return _parse(head, total_size_bytes, "", dtypes)


def _parse(
    head: bytes, total_size_bytes: int, subject: str, dtypes: frozenset[str]
) -> TensorHeader:
    size = len(head)
    raw = canonical.decode_object(head[LENGTH_SIZE_BYTES:size].rstrip(b" "), subject)
    metadata = _parse_metadata(raw.pop("__metadata__", None), subject)
    layout = Layout(tuple(_parse_spec(name, raw[name], subject, dtypes) for name in sorted(raw)))
    if not layout.tensors:
        raise MalformedBlobError("holds no tensor", subject=subject)
    header = TensorHeader(layout, metadata, size)
    if encode_header(layout, metadata) != head:
        raise MalformedBlobError("header is not in canonical form", subject=subject)
    if header.file_size_bytes != total_size_bytes:
        raise MalformedBlobError(
            "size does not fit its header",
            subject=subject,
            expected=f"{header.file_size_bytes} bytes",
            actual=f"{total_size_bytes} bytes",
        )
    return header


def decode_tensors(data: bytes, subject: str) -> tuple[dict[str, FloatArray], Mapping[str, object]]:
    """Read a complete canonical file into read-only arrays and its metadata.

    Raises:
        MalformedBlobError: The bytes are not canonical.
    """
    size = header_size_bytes(data, subject)
    header = parse_header(data[:size], len(data), subject)
    flat = np.frombuffer(data, dtype="<f4", offset=header.data_offset)
    arrays, position = {}, 0
    for spec in header.layout.tensors:
        arrays[spec.name] = flat[position : position + spec.element_count].reshape(spec.shape)
        position += spec.element_count
    return arrays, header.metadata


def require_same_layout(expected: Layout, actual: Layout, subject: str) -> None:
    """Raise unless two files describe the same model.

    Raises:
        ShapeMismatchError: A tensor is missing, extra, or has another shape.
    """
    if expected == actual:
        return
    wanted = {spec.name: spec.shape for spec in expected.tensors}
    given = {spec.name: spec.shape for spec in actual.tensors}
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            raise ShapeMismatchError(
                f"tensor {name!r} does not fit the model",
                subject=subject,
                expected=wanted.get(name, "no such tensor"),
                actual=given.get(name, "no such tensor"),
            )


def _parse_metadata(raw: object, subject: str) -> dict[str, object]:
    if not isinstance(raw, dict) or raw.keys() != {_METADATA_KEY}:
        raise MalformedBlobError("carries no fednet metadata", subject=subject)
    text = raw[_METADATA_KEY]
    if not isinstance(text, str):
        raise MalformedBlobError("metadata is not text", subject=subject)
    return canonical.decode_object(text.encode("utf-8"), subject)


def _parse_spec(name: str, raw: object, subject: str, dtypes: frozenset[str]) -> TensorSpec:
    if not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise MalformedBlobError("tensor name is empty or too long", subject=subject)
    if not isinstance(raw, dict) or raw.keys() != {"data_offsets", "dtype", "shape"}:
        raise MalformedBlobError(f"tensor {name!r} is not described", subject=subject)
    dtype = raw["dtype"]
    if not isinstance(dtype, str) or dtype not in dtypes:
        raise MalformedBlobError(
            f"tensor {name!r} has another dtype",
            subject=subject,
            expected=" or ".join(sorted(dtypes)),
            actual=dtype,
        )
    shape = raw["shape"]
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS:
        raise MalformedBlobError(f"tensor {name!r} has no shape", subject=subject)
    if any(type(side) is not int or not 0 < side < 1 << 40 for side in shape):
        raise MalformedBlobError(f"tensor {name!r} has an impossible shape", subject=subject)
    return TensorSpec(name, tuple(shape), dtype)
