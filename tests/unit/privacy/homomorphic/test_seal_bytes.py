from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zstandard

from fednet.errors import MalformedBlobError
from fednet.privacy.homomorphic.seal_bytes import SealBytes

SMALL = SealBytes(degree=4, modulus=97, scale=8.0)
WORDS = np.arange(8, dtype=np.uint64)
MESSAGE = SMALL.write(WORDS, 2)
HEAD_BYTES = 2 + 1 + 1 + 2
"""Lengths, and the tag and size of the ciphertext."""


def test_what_is_written_is_read_again() -> None:
    assert SMALL.read(MESSAGE).tolist() == WORDS.tolist()


def test_the_bytes_stay_as_they_are() -> None:
    stored = MESSAGE[HEAD_BYTES:-9]

    assert MESSAGE[:3].hex() == "0a0102"
    assert stored[:16].hex() == "5ea11004030000" + "00" + f"{16 + 97 + 64:02x}" + "00" * 7
    assert stored[16 + 97 :] == WORDS.astype("<u8").tobytes()


def test_packed_words_are_unpacked() -> None:
    stored = MESSAGE[HEAD_BYTES:-9]
    packed = zstandard.compress(stored[16:])
    header = stored[:5] + b"\x02" + stored[6:8] + (16 + len(packed)).to_bytes(8, "little")
    message = b"\x12" + _size(16 + len(packed)) + header + packed

    assert SMALL.read(message).tolist() == WORDS.tolist()


def _size(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def _bomb() -> bytes:
    packed = zstandard.compress(bytes(1 << 20))
    header = MESSAGE[HEAD_BYTES : HEAD_BYTES + 5] + b"\x02\0\0"
    stored = header + (16 + len(packed)).to_bytes(8, "little") + packed
    return b"\x12" + _size(len(stored)) + stored


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x12",
        b"\x12\xff\xff\xff\xff\xff\x01",
        b"\x12\x05abc",
        b"\x55\x00",
        MESSAGE[:-10],
        MESSAGE + MESSAGE,
        MESSAGE[: HEAD_BYTES + 4] + b"\x09" + MESSAGE[HEAD_BYTES + 5 :],
        MESSAGE[: HEAD_BYTES + 5] + b"\x01" + MESSAGE[HEAD_BYTES + 6 :],
        MESSAGE[: HEAD_BYTES + 5] + b"\x02" + MESSAGE[HEAD_BYTES + 6 :],
        MESSAGE[: HEAD_BYTES + 20] + b"\x00" + MESSAGE[HEAD_BYTES + 21 :],
        SealBytes(4, 89, 8.0).write(WORDS, 2),
        SealBytes(4, 97, 16.0).write(WORDS, 2),
        SealBytes(2, 97, 8.0).write(WORDS[:4], 2),
        _bomb(),
    ],
)
def test_other_bytes_are_refused(message: Any) -> None:
    with pytest.raises(MalformedBlobError):
        SMALL.read(message)
