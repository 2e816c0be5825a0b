"""The codec ``bfloat16``: the upper half of each float32, rounded to nearest, ties to even.

Format: https://arxiv.org/abs/1905.12322 (Kalamkar et al., 2019).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fednet.codec.base import Packed, PackedFile, PackingCodec
from fednet.codec.files import HEADER_SLACK_BYTES, SHORTEST_ENTRY_BYTES
from fednet.codec.packing import largest_magnitude
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import MAX_HEADER_SIZE_BYTES, FloatArray, Layout, TensorSpec

DTYPE = "BF16"
_SIZE_BYTES = 2


class BFloat16File(PackedFile):
    """Widen each value as it is read."""

    dtypes = frozenset({DTYPE})

    def read_into(self, start: int, out: FloatArray) -> None:
        halves = np.empty(out.size, "<u2")
        self.read_bytes_into(start * _SIZE_BYTES, halves.data.cast("B"))
        bits = out.view("<u4")
        np.copyto(bits, halves)
        np.left_shift(bits, np.uint32(16), out=bits)

    def _begin(self, shape: StateShape, section: UpdateSection) -> Layout:
        return Layout(tuple(TensorSpec(spec.name, spec.shape) for spec in self.layout.tensors))


class BFloat16Codec(PackingCodec):
    """Keep eight significant bits of every value, in the order of the state."""

    name = "bfloat16"
    file = BFloat16File

    def __init__(self) -> None:
        super().__init__(bits=16)

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        # Half of everything, the other half of the header, and a letter more for each tensor.
        header = min(state_size_bytes, MAX_HEADER_SIZE_BYTES)
        letters = header // SHORTEST_ENTRY_BYTES
        return (state_size_bytes + header) // 2 + letters + HEADER_SLACK_BYTES

    def _pack(
        self,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Packed:
        packed = {}
        for name in sorted(arrays):
            flat = np.ascontiguousarray(arrays[name], dtype="<f4").reshape(-1)
            largest_magnitude(flat, name)
            bits = flat.view("<u4")
            odd = (bits >> np.uint32(16)) & np.uint32(1)
            halves = (bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)
            packed[TensorSpec(name, arrays[name].shape, DTYPE)] = halves.astype("<u2")
        return packed
