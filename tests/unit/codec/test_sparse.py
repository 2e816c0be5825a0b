"""Which values travel, how their places are written, and what a sparse file may not say."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fednet.codec import update_size_limit_bytes
from fednet.codec.files import write_parts
from fednet.codec.indices import (
    content_limit_bytes,
    decode_indices,
    encode_indices,
    packed_limit_bytes,
)
from fednet.codec.sparse import kept_count
from fednet.domain.sections import UpdateSection
from fednet.domain.tensors import Layout, TensorSpec
from fednet.errors import MalformedBlobError
from tests.codec_fixtures import MANIFEST, Written, plan_of


@given(st.sets(st.integers(0, 1 << 40), min_size=1, max_size=50), st.integers(1, 1 << 41))
def test_indices_come_back(chosen: Any, room: int) -> None:
    indices = np.array(sorted(chosen), np.int64)
    count, elements = indices.size, int(indices[-1]) + room
    frame = encode_indices(indices)
    assert len(frame) <= packed_limit_bytes(count, elements)
    assert np.array_equal(decode_indices(frame, count, elements, "indices"), indices)
    with pytest.raises(MalformedBlobError):
        decode_indices(frame, count, int(indices[-1]), "indices")
    with pytest.raises(MalformedBlobError):
        decode_indices(frame, count + 1, elements, "indices")


def framed(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(content)


def streamed(content: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(content) + compressor.flush()


GAPS = bytes([0, 3, 0x80, 0x01])  # indices 0, 4 and 133
BOMB = bytes([0x80]) * (64 << 20)


def test_gaps_are_leb128() -> None:
    assert decode_indices(framed(GAPS), 3, 134, "indices").tolist() == [0, 4, 133]
    assert zstandard.decompress(encode_indices(np.array([0, 4, 133]))) == GAPS


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        GAPS,
        framed(GAPS)[:-1],
        framed(GAPS) + b"\0",
        framed(GAPS) + framed(GAPS),
        framed(GAPS, write_checksum=True),
        framed(GAPS, write_content_size=False),
        streamed(GAPS),
        b"\x50\x2a\x4d\x18\x04\0\0\0" + GAPS,  # a frame to be skipped
        b"\x50\x2a\x4d\x18\x00\0\0\0" + framed(GAPS),
        framed(bytes([0, 3, 0x80, 0])),  # 0 spelt with a spare byte
        framed(bytes([0, 3, 0x80])),  # ends in the middle
        framed(bytes([0, 3])),
        framed(bytes([0, 3, 1, 1])),
        framed(bytes([0, 0x80, 0x80, 0x80, 1, 1])),
        framed(bytes([0, 0, 0x86, 0x01])),  # index 136 of 134
        framed(BOMB),
    ],
)
def test_other_frames_are_refused_without_being_unpacked(frame: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(MalformedBlobError):
        decode_indices(frame, 3, 134, "indices")
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


def test_frame_that_lies_about_its_size_is_refused() -> None:
    frame = bytearray(framed(GAPS))
    assert frame[5] == len(GAPS)
    for size in (3, 5, 6):
        frame[5] = size
        with pytest.raises(MalformedBlobError):
            decode_indices(bytes(frame), 3, 1 << 13, "indices")


def test_sum_of_gaps_cannot_wrap_round() -> None:
    elements = (1 << 40) + 1
    most = bytes([0xFF] * 5 + [0x1F])
    assert len(most) == content_limit_bytes(1, elements)
    with pytest.raises(MalformedBlobError):
        decode_indices(framed(most * 1_000), 1_000, elements, "indices")


@pytest.mark.parametrize(
    ("elements", "ratio", "kept"),
    [
        (10, "0.1", 1),
        (11, "0.1", 2),
        (3, "0.000001", 1),
        (1_000_000, "0.01", 10_000),
        (7, "0.5", 4),
    ],
)
def test_share_is_rounded_up(elements: int, ratio: str, kept: int) -> None:
    assert kept_count(elements, UpdateSection(codec="topk", keep_ratio=Decimal(ratio))) == kept


def values_of(folder: Path, codec: str, values: Any) -> list[float]:
    arrays = {"w": np.array(values, np.float32)}
    decoded: list[float] = Written(folder, codec, arrays).decoded().tolist()
    return decoded


def test_ties_go_to_the_lowest_index(tmp_path: Path) -> None:
    # Of thirty values, three travel.
    values = [1.0, -2.0, 2.0, 0.5, 2.0, -2.0] + [0.0] * 24
    assert values_of(tmp_path, "topk", values) == [0, -2, 2, 0, 2] + [0] * 25


def test_fewer_values_than_places_are_padded_with_zeros(tmp_path: Path) -> None:
    for codec in ("topk", "topk-int8", "topk-int4"):
        assert values_of(tmp_path, codec, [0.0] * 40) == [0.0] * 40
        assert values_of(tmp_path, codec, [0.0] * 39 + [7.0]) == pytest.approx(
            [0.0] * 39 + [7.0], rel=2**-14
        )


def sparse(indices: Any, values: Any, scales: Any = None, name: str = "~") -> tuple[Layout, Any]:
    """Spell a sparse file by hand: float32 values, or integers of eight bits with scales."""
    frame = encode_indices(np.array(indices))
    given = np.array(values, "<f4" if scales is None else np.int8)
    specs = [
        TensorSpec(f"{name}indices", (len(frame),), "U8"),
        TensorSpec(f"{name}values", given.shape, "F32" if scales is None else "I8"),
    ]
    data = [memoryview(frame), given.data.cast("B")]
    if scales is not None:
        kept = np.array(scales, "<f4")
        specs.insert(1, TensorSpec(f"{name}scale", kept.shape))
        data.insert(1, kept.data.cast("B"))
    return Layout(tuple(specs)), data


def decoded(folder: Path, codec: str, spelt: Any) -> list[float]:
    arrays = {"a": np.zeros(20, np.float32), "b": np.zeros((2, 5), np.float32)}
    written = Written(folder, codec, arrays)
    write_parts(written.path, spelt[0], MANIFEST.to_metadata(), spelt[1])
    values: list[float] = written.decoded().tolist()
    return values


def test_hand_made_files_decode(tmp_path: Path) -> None:
    expected = [0.0] * 30
    expected[4], expected[20], expected[29] = 2.0, -1.0, 3.0
    assert decoded(tmp_path, "topk", sparse([4, 20, 29], [2, -1, 3])) == expected
    expected[4], expected[20], expected[29] = -63.5, 254, 2
    spelt = sparse([4, 20, 29], [-127, 127, 1], [0.5, 2])
    assert decoded(tmp_path, "topk-int8", spelt) == expected


@pytest.mark.parametrize(
    ("codec", "spelt"),
    [
        ("topk", sparse([4, 20], [2, -1])),  # too few
        ("topk", sparse([4, 20, 21, 29], [2, -1, 3, 1])),  # too many
        ("topk", sparse([4, 20, 30], [2, -1, 3])),  # out of range
        ("topk", sparse([4, 20, 29], [2, np.nan, 3])),
        ("topk", sparse([4, 20, 29], [2, np.inf, 3])),
        ("topk", sparse([0, 20, 29], [-0.0, 1, 3])),
        ("topk", sparse([4, 20, 29], [0, 1, 3])),  # the zero could stand at 0
        ("topk", sparse([4, 20, 29], [1, 1, 3], name="~cluster-0/~")),
        ("topk", sparse([4, 20, 29], [127, -127, 3], [0.5, 2])),  # another codec
        ("topk-int8", sparse([4, 20, 29], [2, -1, 3])),
        ("topk-int8", sparse([4, 20, 29], [127, 126, 3], [0.5, 2])),  # no integer fills the scale
        ("topk-int8", sparse([4, 20, 29], [127, -128, 3], [0.5, 2])),
        ("topk-int8", sparse([4, 6, 9], [127, 1, 3], [0.5, 2])),  # a scale without values
        ("topk-int8", sparse([4, 20, 29], [127, 127, 3], [0.5, np.nan])),
        ("topk-int8", sparse([4, 20, 29], [127, 127, 3], [0.5])),
    ],
)
def test_second_spelling_of_a_sparse_file_is_refused(
    tmp_path: Path, codec: str, spelt: Any
) -> None:
    with pytest.raises(MalformedBlobError):
        decoded(tmp_path, codec, spelt)


def test_size_limit_is_tight_for_large_models() -> None:
    layout = Layout((TensorSpec("w", (10_000_000,)),))
    for codec, most in [("topk-int8", 0.016), ("int8", 0.41), ("bfloat16", 0.52), ("int4", 0.29)]:
        plan = plan_of(codec, layout, keep_ratio=Decimal("0.01"))
        assert update_size_limit_bytes(plan) <= most * layout.data_size_bytes
