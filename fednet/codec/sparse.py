"""The codecs ``topk``, ``topk-int8`` and ``topk-int4``: the largest values, and where they stand.

A fixed share of the values travels, the largest by magnitude over the whole
vector, ties to the lowest index; the others read as zero (Stich et al., 2018,
https://arxiv.org/abs/1809.07599). Integers share one scale per tensor. A file
holds ``~indices``, ``~values`` and with integers ``~scale``, under the prefix of
the cluster whose model the update changes. Values that are zero stand at the
lowest indices that are free, so a vector has one spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fednet.codec.base import Packed, PackedFile, PackingCodec
from fednet.codec.files import HEADER_SLACK_BYTES, SHORTEST_ENTRY_BYTES, RawFile
from fednet.codec.indices import IndexArray, decode_indices, encode_indices, packed_limit_bytes
from fednet.codec.packing import (
    LARGEST,
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

INDICES = f"{MARK}indices"
SCALES = f"{MARK}scale"
VALUES = f"{MARK}values"
_CLUSTER = f"{MARK}cluster-"
_DTYPES = {32: FLOAT32, 8: "I8", 4: "U8"}


def kept_count(element_count: int, section: UpdateSection) -> int:
    """Count the values that travel: the share of the plan, rounded up."""
    return -(-element_count * Fraction(section.keep_ratio) // 1)


class SparseFile(PackedFile):
    """Hold the indices and values of one canonical sparse file."""

    dtypes = frozenset({FLOAT32, "I8", "U8"})

    def read_into(self, start: int, out: FloatArray) -> None:
        # Bounds of another dtype would make a copy of all the indices.
        bounds = np.array((start, start + out.size), self._indices.dtype)
        first, last = np.searchsorted(self._indices, bounds)
        out.fill(0)
        out[self._indices[first:last].astype(np.int64) - start] = self._values[first:last]

    def _begin(self, shape: StateShape, section: UpdateSection) -> Layout:
        plain = _find_layout(self, shape, section, self._bits)
        count = kept_count(plain.element_count, section)
        parts = _read_parts(self)
        self.close()  # all of it is read
        frame = parts[INDICES].tobytes()
        indices = decode_indices(frame, count, plain.element_count, self.subject)
        if self._bits == 32:
            values = parts[VALUES].view("<f4")
            _check_floats(values, self.subject)
        else:
            integers = _read_integers(parts[VALUES], count, self._bits, self.subject)
            scales = parts[SCALES].view("<f4")
            tensors = np.searchsorted(_starts(plain), indices, side="right") - 1
            _check_integers(integers, scales, tensors, LARGEST[self._bits], self.subject)
            values = integers * scales[tensors]
        zero = values == 0
        if not np.array_equal(indices[zero], _lowest_free(indices[~zero], int(zero.sum()))):
            raise MalformedBlobError("zeros have another, canonical place", subject=self.subject)
        narrow = plain.element_count < 1 << 32
        self._indices = indices.astype(np.uint32) if narrow else indices
        self._values = values
        return plain


class SparseCodec(PackingCodec):
    """Keep the largest values.

    Args:
        bits: Of each value: 32 keeps them as they are, 8 and 4 round them to integers.
    """

    file = SparseFile

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.name = "topk" if bits == 32 else f"topk-int{bits}"

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        elements = max(1, state_size_bytes // ELEMENT_SIZE_BYTES)
        kept = kept_count(elements, section)
        tensors = min(state_size_bytes, MAX_HEADER_SIZE_BYTES) // SHORTEST_ENTRY_BYTES
        scales = 0 if self._bits == 32 else tensors * ELEMENT_SIZE_BYTES
        values = (kept * self._bits + 7) // 8
        return packed_limit_bytes(kept, elements) + values + scales + HEADER_SLACK_BYTES

    def _pack(
        self,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Packed:
        plain = Layout.of(arrays)
        flat = np.concatenate(
            [np.asarray(arrays[spec.name], dtype="<f4").reshape(-1) for spec in plain.tensors]
        )
        largest_magnitude(flat, "update")
        indices = _largest(flat, kept_count(flat.size, section))
        values: npt.NDArray[np.float32 | np.int8] = flat[indices]
        scales = np.empty(0, "<f4")
        if self._bits != 32:
            noise = Noise(seed_of(metadata))
            values, scales = _quantise(flat[indices], indices, plain, self._bits, noise)
        indices, values = _respell(indices, values)
        frame = np.frombuffer(encode_indices(indices), np.uint8)
        layout = _packed_layout(plain, self._bits, indices.size, frame.size)
        of_indices, *of_scales, of_values = layout.tensors
        packed = {of_indices: frame, of_values: _packed(values, self._bits)}
        return packed | dict.fromkeys(of_scales, scales)


def _largest(flat: FloatArray, count: int) -> IndexArray:
    magnitudes = np.abs(flat)
    least = np.partition(magnitudes, flat.size - count)[flat.size - count]
    above = np.flatnonzero(magnitudes > least)
    ties = np.flatnonzero(magnitudes == least)[: count - above.size]
    return np.sort(np.concatenate((above, ties)))


def _quantise(
    values: FloatArray, indices: IndexArray, plain: Layout, bits: int, noise: Noise
) -> tuple[SmallArray, FloatArray]:
    tensors = np.searchsorted(_starts(plain), indices, side="right") - 1
    maxima = np.zeros(len(plain.tensors), np.float32)
    np.maximum.at(maxima, tensors, np.abs(values))
    scales = scales_of(maxima, LARGEST[bits])
    return quantise(values, scales[tensors], maxima[tensors], LARGEST[bits], noise), scales


def _respell(
    indices: IndexArray, values: npt.NDArray[np.float32 | np.int8]
) -> tuple[IndexArray, npt.NDArray[np.float32 | np.int8]]:
    """Move the values that are zero to the lowest indices that are free."""
    kept = values != 0
    free = _lowest_free(indices[kept], int(np.count_nonzero(~kept)))
    moved = np.concatenate((indices[kept], free))
    order = np.argsort(moved, kind="stable")
    padded = np.concatenate((values[kept], np.zeros(free.size, values.dtype)))
    return moved[order], padded[order]


def _lowest_free(taken: IndexArray, count: int) -> IndexArray:
    """Return so many of the lowest integers that are not taken."""
    among = taken.size + count
    free = np.ones(among, np.bool_)
    free[taken[taken < among]] = False
    return np.flatnonzero(free)[:count]


def _packed(values: npt.NDArray[np.float32 | np.int8], bits: int) -> npt.NDArray[np.generic]:
    if bits == 32:
        return values.astype("<f4")
    integers = values.astype(np.int8)
    return pack_nibbles(integers) if bits == 4 else integers


def _packed_layout(plain: Layout, bits: int, count: int, frame_size_bytes: int) -> Layout:
    """Return the tensors of a file that holds so many values of the given tensors."""
    prefix = _prefix(plain)
    specs = [
        TensorSpec(prefix + INDICES, (frame_size_bytes,), "U8"),
        TensorSpec(prefix + SCALES, (len(plain.tensors),)),
        TensorSpec(prefix + VALUES, ((count + 1) // 2 if bits == 4 else count,), _DTYPES[bits]),
    ]
    return Layout(tuple(spec for spec in specs if bits != 32 or spec.name != prefix + SCALES))


def _prefix(plain: Layout) -> str:
    """Return the prefix of the cluster whose model the tensors are; empty without clusters."""
    name = plain.tensors[0].name
    return name[: name.index("/") + 1] if name.startswith(_CLUSTER) else ""


def _starts(plain: Layout) -> IndexArray:
    counts = np.array([spec.element_count for spec in plain.tensors], np.int64)
    return np.cumsum(counts) - counts


def _find_layout(file: RawFile, shape: StateShape, section: UpdateSection, bits: int) -> Layout:
    """Return the tensors that are updated; nothing of the data has been read yet."""
    frame = file.header.layout.tensors[0]
    for part in shape.parts:
        count = kept_count(part.layout.element_count, section)
        expected = _packed_layout(part.layout, bits, count, frame.element_count)
        if expected != file.header.layout:
            continue
        if frame.element_count > packed_limit_bytes(count, part.layout.element_count):
            break
        return part.layout
    raise MalformedBlobError("holds no sparse update of this model", subject=file.subject)


def _read_parts(file: RawFile) -> dict[str, npt.NDArray[np.uint8]]:
    """Read every tensor's bytes, by its name without the cluster's."""
    parts, position = {}, 0
    for spec in file.header.layout.tensors:
        data = np.empty(spec.size_bytes, np.uint8)
        file.read_bytes_into(position, data.data)
        parts[spec.name.rpartition("/")[2]] = data
        position += spec.size_bytes
    return parts


def _read_integers(
    packed: npt.NDArray[np.uint8], count: int, bits: int, subject: str
) -> SmallArray:
    if bits == 8:
        return packed.view(np.int8)
    integers = unpack_nibbles(packed)
    if np.any(integers[count:]):
        raise MalformedBlobError("the last half byte is not zero", subject=subject)
    return integers[:count]


def _check_floats(values: FloatArray, subject: str) -> None:
    if not np.all(np.isfinite(values)):
        raise MalformedBlobError("holds a value that is not finite", subject=subject)
    if np.any(np.signbit(values) & (values == 0)):
        raise MalformedBlobError("holds a negative zero", subject=subject)


def _check_integers(
    integers: SmallArray,
    scales: FloatArray,
    tensors: IndexArray,
    largest: int,
    subject: str,
) -> None:
    check_scales(scales, subject)
    if integers.min() < -largest:
        raise MalformedBlobError("integers are not symmetric", subject=subject)
    peaks = np.zeros(scales.size, np.int8)
    np.maximum.at(peaks, tensors, np.abs(integers))
    check_peaks(peaks, scales, largest, subject)
