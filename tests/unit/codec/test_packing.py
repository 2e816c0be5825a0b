"""Rounding at random, scales, and everything that a packed file may not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.codec.files import write_parts
from fednet.codec.packing import (
    Noise,
    check_scales,
    pack_nibbles,
    quantise,
    scales_of,
    unpack_nibbles,
)
from fednet.codec.quantised import packed_layout
from fednet.errors import MalformedBlobError
from tests.codec_fixtures import MANIFEST, Written


def test_noise_is_the_same_for_ever() -> None:
    noise = Noise("salt")
    assert noise.draw(3).tolist() == [0.505207343492657, 0.36825834354385734, 0.4153970822226256]
    # The second half of the last output was dropped.
    assert noise.draw(1).tolist() == [0.10160859930329025]
    assert Noise("other").draw(1) != Noise("salt").draw(1)


def test_noise_is_uniform() -> None:
    drawn = Noise("salt").draw(100_000)
    assert 0 <= drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
    assert np.all(np.abs(np.histogram(drawn, 10)[0] - 10_000) < 500)


@pytest.mark.parametrize("value", [0.3, -0.3, 2.75, -6.01])
def test_rounding_is_right_on_average(value: float) -> None:
    values = np.full(50_000, value, np.float32)
    ones = np.ones_like(values)
    integers = quantise(values, ones, 100 * ones, 7, Noise("salt"))
    assert set(integers.tolist()) == {int(np.floor(value)), int(np.floor(value)) + 1}
    assert abs(integers.mean() - value) < 0.01


def test_largest_value_is_never_rounded_down() -> None:
    values = np.array([5.0, -5.0, 4.999, 0.0], np.float32)
    scale = scales_of(np.array([5.0], np.float32), 7)
    for salt in range(50):
        integers = quantise(values, scale.repeat(4), np.full(4, 5, np.float32), 7, Noise(str(salt)))
        assert integers[:2].tolist() == [7, -7]
        assert abs(int(integers[2])) <= 7
        assert integers[3] == 0


@pytest.mark.parametrize("largest", [127, 7])
def test_integer_times_scale_is_exact(largest: int) -> None:
    maxima = (10.0 ** np.random.default_rng(0).uniform(-35, 36, 10_000)).astype(np.float32)
    scales = scales_of(maxima, largest)
    check_scales(scales, "scales")
    products = np.arange(-largest, largest + 1, dtype=np.int8)[:, None] * scales
    exact = np.arange(-largest, largest + 1)[:, None] * scales.astype(np.float64)
    assert products.dtype == np.float32
    assert np.array_equal(products, exact)
    assert np.all(np.abs(products[-1] / maxima - 1) < 2**-14)


def test_values_below_the_smallest_scale_become_zero() -> None:
    maxima = np.array([0, 1e-45, 1e-37, 2e-36], np.float32)
    scales = scales_of(maxima, 127)
    assert scales[:3].tolist() == [0, 0, 0]
    assert scales[3] > 0
    check_scales(scales, "scales")


@pytest.mark.parametrize(
    "scale", [-1.0, np.nan, np.inf, -0.0, 1e-40, 2.0**122, np.float32(1) + np.float32(2**-23)]
)
def test_impossible_scale_is_refused(scale: Any) -> None:
    with pytest.raises(MalformedBlobError):
        check_scales(np.array([1.0, scale], "<f4"), "scales")


def test_nibbles_come_back_in_order() -> None:
    integers = np.array([-7, 7, 0, -1, 3], np.int8)
    packed = pack_nibbles(integers)
    assert packed.tolist() == [0x79, 0xF0, 0x03]
    assert unpack_nibbles(packed).tolist() == [*integers.tolist(), 0]


class Forged:
    """A packed file whose integers and scales a test may spell as it likes."""

    def __init__(self, folder: Path, bits: int) -> None:
        self.arrays = {"w": np.arange(-7, 8, dtype=np.float32)}
        self.written = Written(folder, f"int{bits}", self.arrays)
        self.layout = packed_layout(self.written.layout, bits)

    def decoded(self, integers: Any, scale: Any) -> list[float]:
        """Decode a file of one tensor, or raise what refuses it."""
        data = [memoryview(bytes(integers)), memoryview(np.float32(scale).tobytes())]
        write_parts(self.written.path, self.layout, MANIFEST.to_metadata(), data)
        values: list[float] = self.written.decoded().tolist()
        return values


EIGHT = [*range(-7, 7), 127]
FOUR = pack_nibbles(np.arange(-7, 8, dtype=np.int8)).tolist()


def test_hand_made_integers_decode(tmp_path: Path) -> None:
    forged = Forged(tmp_path, 8)
    assert forged.decoded(np.array(EIGHT, np.int8), 0.5) == [each / 2 for each in EIGHT]
    assert Forged(tmp_path, 4).decoded(FOUR, 2) == list(range(-14, 15, 2))
    assert forged.decoded(bytes(15), 0) == [0] * 15


@pytest.mark.parametrize(
    ("integers", "scale"),
    [
        ([*EIGHT[:-1], -128], 0.5),
        ([*EIGHT[:-1], 126], 0.5),
        ([0] * 15, 0.5),
        (EIGHT, 0.0),
        (EIGHT, -0.5),
        (EIGHT, np.nan),
        (EIGHT, 1e38),
    ],
)
def test_second_spelling_of_eight_bits_is_refused(
    tmp_path: Path, integers: Any, scale: float
) -> None:
    with pytest.raises(MalformedBlobError):
        Forged(tmp_path, 8).decoded(np.array(integers, np.int8), scale)


@pytest.mark.parametrize(
    "packed",
    [
        [*FOUR[:-1], FOUR[-1] | 0x10],  # the spare half is not zero
        [0x88, *FOUR[1:]],  # -8
        [0x66] * 7 + [0x06],  # no value reaches 7
    ],
)
def test_second_spelling_of_four_bits_is_refused(tmp_path: Path, packed: Any) -> None:
    with pytest.raises(MalformedBlobError):
        Forged(tmp_path, 4).decoded(packed, 2)


def test_packed_update_of_another_model_is_refused(tmp_path: Path) -> None:
    written = Written(tmp_path, "int8")
    other = Written(tmp_path, "int8", {"w": np.ones(3, np.float32)})
    with pytest.raises(MalformedBlobError, match="of this model"):
        written.open(other.data)
