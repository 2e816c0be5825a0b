"""Turn float32 values into few bits and back; the way back is exact on every machine.

A value is a small integer times the scale of its channel, rounded at random in
proportion (Alistarh et al., 2017, https://arxiv.org/abs/1610.02132), so that the
expected value is the true one. A scale has sixteen significant bits: its product
with an integer of eight is a float32 without any rounding. The largest
magnitude of a channel always stands as the largest integer, a prime, so no other
scale can spell the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray
from fednet.errors import MalformedBlobError, TrainingError

SmallArray = npt.NDArray[np.int8]
ByteArray = npt.NDArray[np.uint8]

LARGEST = {8: 127, 4: 7}
"""Largest magnitude of an integer of so many bits; the range is symmetric."""
_SPARE_BITS = 0xFF
_SMALLEST_SCALE = np.float32(2.0**-126)
_LARGEST_SCALE = np.float32(2.0**121)
_NOISE_DOMAIN = b"fednet-rounding/1\0"


class Noise:
    """Draw uniform numbers below 1 that depend on a text alone.

    Raw outputs of a PCG64 whose seed is SHA-256 of the text: neither NumPy's
    distributions nor its version has a say.
    """

    def __init__(self, seed: str) -> None:
        digest = hashlib.sha256(_NOISE_DOMAIN + seed.encode("utf-8")).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest, "big"))

    def draw(self, count: int) -> npt.NDArray[np.float64]:
        """Return so many multiples of 2**-32; what is left of the last output is dropped."""
        raw = np.asarray(self._bits.random_raw((count + 1) // 2), dtype="<u8")
        return raw.view("<u4")[:count].astype(np.float64) * 2.0**-32


def largest_magnitude(values: FloatArray, name: str) -> np.float32:
    """Return the largest magnitude of some values.

    Raises:
        TrainingError: One is NaN, infinite, or too large for any scale.
    """
    largest = np.max(np.abs(values)) if values.size else np.float32(0)
    if not largest <= LARGEST[4] * _LARGEST_SCALE:
        raise TrainingError(
            "update holds values that no codec can pack",
            subject=name,
            expected="finite numbers",
            actual=float(largest),
            hint="lower the plan's learning rate, or check the data for outliers",
        )
    return np.float32(largest)


def scales_of(maxima: FloatArray, largest: int) -> FloatArray:
    """Return the scale of each channel, given its largest magnitude.

    Values too small for a normal scale become zero.
    """
    scales = (maxima.astype(np.float64) / largest).astype("<f4")
    bits = scales.view("<u4")
    bits += np.uint32(_SPARE_BITS)
    bits &= np.uint32(0xFFFFFFFF ^ _SPARE_BITS)
    scales[scales < _SMALLEST_SCALE] = 0
    return scales


def check_scales(scales: FloatArray, subject: str) -> None:
    """Raise unless every scale is one that `scales_of` could return.

    Raises:
        MalformedBlobError: One is negative, not finite, or has too many digits.
    """
    bits = scales.view("<u4")
    with np.errstate(invalid="ignore"):
        in_range = (scales >= _SMALLEST_SCALE) & (scales <= _LARGEST_SCALE)
    if not np.all((in_range & (bits & np.uint32(_SPARE_BITS) == 0)) | (bits == 0)):
        raise MalformedBlobError("holds an impossible scale", subject=subject)


def quantise(
    values: FloatArray, scales: FloatArray, maxima: FloatArray, largest: int, noise: Noise
) -> SmallArray:
    """Round values to integers.

    Args:
        values: Shape (n,).
        scales: Scale of each value, shape (n,).
        maxima: Largest magnitude in the channel of each value, shape (n,).
        largest: Largest integer.
        noise: Draws n numbers.
    """
    safe = np.where(scales > 0, scales, np.float32(1)).astype(np.float64)
    rounded = np.floor(values.astype(np.float64) / safe + noise.draw(values.size))
    np.clip(rounded, -largest, largest, out=rounded)
    np.copyto(rounded, np.sign(values) * largest, where=np.abs(values) == maxima)
    rounded[scales == 0] = 0
    return rounded.astype(np.int8)


def check_peaks(peaks: SmallArray, scales: FloatArray, largest: int, subject: str) -> None:
    """Raise unless each channel reaches the largest integer, or is zero throughout.

    Args:
        peaks: Largest magnitude of the integers of each channel.
        scales: Of the channels.
        largest: Largest integer.
        subject: For the error.

    Raises:
        MalformedBlobError: The same values have another, canonical spelling.
    """
    if not np.array_equal(peaks, np.where(scales > 0, largest, 0)):
        raise MalformedBlobError("integers do not fill their scale", subject=subject)


def pack_nibbles(integers: SmallArray) -> ByteArray:
    """Put two integers of four bits into a byte, the first into the low half."""
    halves = np.zeros(integers.size + integers.size % 2, np.uint8)
    halves[: integers.size] = integers.view(np.uint8) & np.uint8(0xF)
    return halves[::2] | (halves[1::2] << np.uint8(4))


def unpack_nibbles(packed: ByteArray) -> SmallArray:
    """Return both integers of each byte."""
    halves = np.empty((packed.size, 2), np.uint8)
    np.bitwise_and(packed, np.uint8(0xF), out=halves[:, 0])
    np.right_shift(packed, np.uint8(4), out=halves[:, 1])
    return (halves.reshape(-1) ^ np.uint8(8)).view(np.int8) - np.int8(8)


def seed_of(metadata: Mapping[str, object]) -> str:
    """Return what an update's rounding is seeded with: the manifest's salt."""
    return str(metadata["salt"])
