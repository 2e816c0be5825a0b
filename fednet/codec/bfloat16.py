"""The codec ``bfloat16``: the upper half of each float32, rounded to nearest, ties to even.

Format: https://arxiv.org/abs/1905.12322 (Kalamkar et al., 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fednet.codec.files import (
    HEADER_SLACK_BYTES,
    SHORTEST_ENTRY_BYTES,
    RawFile,
    require_float32,
    write_parts,
)
from fednet.codec.packing import largest_magnitude
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import MAX_HEADER_SIZE_BYTES, FloatArray, Layout, TensorSpec

DTYPE = "BF16"
_SIZE_BYTES = 2


class BFloat16Codec:
    """Keep eight significant bits of every value, in the order of the state."""

    name = "bfloat16"

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        # Half of everything, the other half of the header, and a letter more for each tensor.
        header = min(state_size_bytes, MAX_HEADER_SIZE_BYTES)
        letters = header // SHORTEST_ENTRY_BYTES
        return (state_size_bytes + header) // 2 + letters + HEADER_SLACK_BYTES

    def write(
        self,
        path: Path,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Commitment:
        require_float32(arrays)
        specs, data = [], []
        for name in sorted(arrays):
            flat = np.ascontiguousarray(arrays[name], dtype="<f4").reshape(-1)
            largest_magnitude(flat, name)
            bits = flat.view("<u4")
            odd = (bits >> np.uint32(16)) & np.uint32(1)
            halves = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype("<u2")
            specs.append(TensorSpec(name, arrays[name].shape, DTYPE))
            data.append(halves.data.cast("B"))
        return write_parts(path, Layout(tuple(specs)), metadata, data)

    def open(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int,
        shape: StateShape,
        section: UpdateSection,
    ) -> BFloat16File:
        return BFloat16File(path, subject, size_limit_bytes)


class BFloat16File(RawFile):
    """Read one canonical file of bfloat16 tensors as a flat float32 vector."""

    def __init__(self, path: BlobFile, subject: str, size_limit_bytes: int | None = None) -> None:
        super().__init__(path, subject, size_limit_bytes, frozenset({DTYPE}))
        self._layout = Layout(
            tuple(TensorSpec(spec.name, spec.shape) for spec in self.header.layout.tensors)
        )

    @property
    def layout(self) -> Layout:
        """Return what the file's tensors decode to."""
        return self._layout

    @property
    def element_count(self) -> int:
        """Count the elements of the flat vector."""
        return self._layout.element_count

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        halves = np.empty(out.size, "<u2")
        self.read_bytes_into(start * _SIZE_BYTES, halves.data.cast("B"))
        bits = out.view("<u4")
        np.copyto(bits, halves)
        np.left_shift(bits, np.uint32(16), out=bits)
