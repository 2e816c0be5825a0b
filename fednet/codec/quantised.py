"""The codecs ``int8`` and ``int4``: one scale per channel, one small integer per value.

A channel is a row along the first dimension of a tensor; a tensor with fewer
than two dimensions, or with rows of fewer than eight values, is one channel. A
file holds each tensor ``t`` as integers (two of four bits to a byte) and its
scales as ``~scale/t``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fednet.codec.base import Packed, PackedFile, PackingCodec
from fednet.codec.files import CHUNK_ELEMENTS, HEADER_SLACK_BYTES, SHORTEST_ENTRY_BYTES
from fednet.codec.packing import (
    LARGEST,
    ByteArray,
    Noise,
    SmallArray,
    check_peaks,
    check_scales,
    largest_magnitude,
    pack_nibbles,
    quantise,
    scales_of,
    seed_of,
    unpack_nibbles,
)
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import MARK, StateShape
from fednet.domain.tensors import (
    ELEMENT_SIZE_BYTES,
    FLOAT32,
    MAX_HEADER_SIZE_BYTES,
    FloatArray,
    Layout,
    TensorSpec,
)
from fednet.errors import MalformedBlobError

SCALE_PREFIX = f"{MARK}scale/"
LEAST_ROW = 8
"""Fewest values that have a scale of their own."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor stands in the vector, in the file, and among the scales."""

    start: int
    count: int
    row: int
    """Elements of a channel."""
    data_start: int
    first_scale: int

    @property
    def channels(self) -> int:
        return self.count // self.row


class QuantisedFile(PackedFile):
    """Multiply each integer by its scale as it is read."""

    dtypes = frozenset({FLOAT32, "I8", "U8"})

    def read_into(self, start: int, out: FloatArray) -> None:
        at, done = bisect_right(self._starts, start) - 1, 0
        while done < out.size:
            tensor = self._tensors[at]
            first = start + done - tensor.start
            count = min(out.size - done, tensor.count - first)
            rows, lengths = _rows(tensor.row, first, count)
            scales = self._scales[tensor.first_scale + rows.start : tensor.first_scale + rows.stop]
            # An integer of eight bits times a scale of sixteen is exact.
            np.multiply(
                self._integers(tensor, first, count),
                np.repeat(scales, lengths),
                out=out[done : done + count],
            )
            done += count
            at += 1

    def _begin(self, shape: StateShape, section: UpdateSection) -> Layout:
        plain = self._find_layout(shape)
        self._tensors, self._scales = self._place(plain)
        self._starts = [tensor.start for tensor in self._tensors]
        check_scales(self._scales, self.subject)
        for tensor in self._tensors:
            self._check_integers(tensor)
        return plain

    def _find_layout(self, shape: StateShape) -> Layout:
        for part in shape.parts:
            if packed_layout(part.layout, self._bits) == self.header.layout:
                return part.layout
        raise MalformedBlobError("holds no packed update of this model", subject=self.subject)

    def _place(self, plain: Layout) -> tuple[list[_Tensor], FloatArray]:
        starts, position = {}, 0
        for spec in self.header.layout.tensors:
            starts[spec.name] = position
            position += spec.size_bytes
        tensors: list[_Tensor] = []
        scales: list[FloatArray] = []
        element = scale = 0
        for spec in plain.tensors:
            row = _row_of(spec.shape)
            tensor = _Tensor(element, spec.element_count, row, starts[spec.name], scale)
            own = np.empty(tensor.channels, "<f4")
            self.read_bytes_into(starts[SCALE_PREFIX + spec.name], own.data.cast("B"))
            tensors.append(tensor)
            scales.append(own)
            element += spec.element_count
            scale += tensor.channels
        return tensors, np.concatenate(scales)

    def _integers(self, tensor: _Tensor, first: int, count: int) -> SmallArray:
        if self._bits == 8:
            integers = np.empty(count, np.int8)
            self.read_bytes_into(tensor.data_start + first, integers.data.cast("B"))
            return integers
        packed: ByteArray = np.empty((first + count + 1) // 2 - first // 2, np.uint8)
        self.read_bytes_into(tensor.data_start + first // 2, packed.data.cast("B"))
        return unpack_nibbles(packed)[first % 2 : first % 2 + count]

    def _check_integers(self, tensor: _Tensor) -> None:
        largest = LARGEST[self._bits]
        peaks = np.zeros(tensor.channels, np.int8)
        for first in range(0, tensor.count, CHUNK_ELEMENTS):
            count = min(CHUNK_ELEMENTS, tensor.count - first)
            integers = self._integers(tensor, first, count)
            if integers.min() < -largest:
                raise MalformedBlobError("integers are not symmetric", subject=self.subject)
            rows, lengths = _rows(tensor.row, first, count)
            bounds = np.cumsum(lengths) - lengths
            highest = np.maximum.reduceat(np.abs(integers), bounds)
            inside = slice(rows.start, rows.stop)
            np.maximum(peaks[inside], highest, out=peaks[inside])
        scales = self._scales[tensor.first_scale : tensor.first_scale + tensor.channels]
        check_peaks(peaks, scales, largest, self.subject)
        if self._bits == 4 and tensor.count % 2:
            last = self._integers(tensor, tensor.count - 1, 2)
            if last[1] != 0:
                raise MalformedBlobError("the last half byte is not zero", subject=self.subject)


class QuantisedCodec(PackingCodec):
    """Keep every value as an integer of a few bits.

    Args:
        bits: 8 or 4.
    """

    file = QuantisedFile

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.name = f"int{bits}"

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        elements = state_size_bytes // ELEMENT_SIZE_BYTES
        tensors = min(state_size_bytes, MAX_HEADER_SIZE_BYTES) // SHORTEST_ENTRY_BYTES
        scales = elements // LEAST_ROW + tensors
        data = elements * self._bits // 8 + tensors + scales * ELEMENT_SIZE_BYTES
        # Each tensor's entry stands twice, the second time under a longer name.
        header = min(3 * state_size_bytes, MAX_HEADER_SIZE_BYTES)
        return data + header + HEADER_SLACK_BYTES

    def _pack(
        self,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Packed:
        noise = Noise(seed_of(metadata))
        packed: dict[TensorSpec, npt.NDArray[np.generic]] = {}
        for spec in Layout.of(arrays).tensors:
            integers, scales = _quantise_tensor(arrays[spec.name], spec, self._bits, noise)
            of_integers, of_scales = _packed_specs(spec, self._bits)
            packed[of_integers] = pack_nibbles(integers) if self._bits == 4 else integers
            packed[of_scales] = scales
        return packed


def packed_layout(plain: Layout, bits: int) -> Layout:
    """Return the tensors of a file that holds an update of the given tensors."""
    specs = [packed for spec in plain.tensors for packed in _packed_specs(spec, bits)]
    return Layout(tuple(sorted(specs, key=lambda spec: spec.name)))


def _packed_specs(spec: TensorSpec, bits: int) -> tuple[TensorSpec, TensorSpec]:
    """Return what stands for a tensor: its integers and its scales."""
    count = spec.element_count
    integers = (
        TensorSpec(spec.name, spec.shape, "I8")
        if bits == 8
        else TensorSpec(spec.name, ((count + 1) // 2,), "U8")
    )
    return integers, TensorSpec(SCALE_PREFIX + spec.name, (count // _row_of(spec.shape),))


def _row_of(shape: tuple[int, ...]) -> int:
    """Count the elements of a channel."""
    row = math.prod(shape[1:])
    return row if len(shape) > 1 and row >= LEAST_ROW else math.prod(shape)


def _rows(row: int, first: int, count: int) -> tuple[range, npt.NDArray[np.int64]]:
    """Return the channels that a stretch of a tensor touches, and how far it goes into each."""
    rows = range(first // row, (first + count - 1) // row + 1)
    lengths = np.full(len(rows), row, np.int64)
    lengths[0] -= first - rows.start * row
    lengths[-1] -= rows.stop * row - (first + count)
    return rows, lengths


def _quantise_tensor(
    array: FloatArray, spec: TensorSpec, bits: int, noise: Noise
) -> tuple[SmallArray, FloatArray]:
    row, largest = _row_of(spec.shape), LARGEST[bits]
    flat = np.ascontiguousarray(array, dtype="<f4").reshape(-1)
    largest_magnitude(flat, spec.name)
    maxima = np.abs(flat).reshape(-1, row).max(axis=1)
    scales = scales_of(maxima, largest)
    integers = np.empty(flat.size, np.int8)
    for first in range(0, flat.size, CHUNK_ELEMENTS):
        chunk = flat[first : first + CHUNK_ELEMENTS]
        rows, lengths = _rows(row, first, chunk.size)
        inside = slice(rows.start, rows.stop)
        integers[first : first + chunk.size] = quantise(
            chunk,
            np.repeat(scales[inside], lengths),
            np.repeat(maxima[inside], lengths),
            largest,
            noise,
        )
    return integers, scales
