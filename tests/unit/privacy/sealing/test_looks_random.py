"""What a stray copy tells: its size, and nothing else.

Keys are fixed, so that a statistic is the same at every run; its bounds are six
standard deviations wide.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from pathlib import Path

import pytest

from fednet.privacy.sealing import ContentKey, seal
from fednet.privacy.sealing.letters import write_letter
from tests.unit.privacy.sealing.members import MEMBERS, PLACE, elsewhere, recipients

BLOCK_SIZE_BYTES = 1 << 18
"""Of an IPFS block."""
KEY = ContentKey(bytes(range(100, 132)))
CONTENTS = {
    "zeros": bytes(3 * BLOCK_SIZE_BYTES),
    "text": b'{"format":"fednet-update/1","site":3}' * 20_000,
    "floats": b"\0\0\x80\x3f" * 180_000,
}


def chi_square(data: bytes) -> float:
    """Measure how far bytes are from uniform: 255 on average, with a deviation of 22.6."""
    mean = len(data) / 256
    counts = Counter(data)
    return sum((counts[value] - mean) ** 2 for value in range(256)) / mean


def looks_random(data: bytes) -> bool:
    deviation = math.sqrt(2 * 255)
    return abs(chi_square(data) - 255) < 6 * deviation and len(zlib.compress(data)) >= len(data)


def test_measure_tells_contents_from_noise() -> None:
    assert not any(looks_random(content) for content in CONTENTS.values())


@pytest.mark.parametrize("name", CONTENTS)
def test_every_block_looks_random(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(CONTENTS[name])
    seal(source, target, KEY, PLACE, MEMBERS)
    data = target.read_bytes()
    assert looks_random(data)
    blocks = [data[at : at + BLOCK_SIZE_BYTES] for at in range(0, len(data), BLOCK_SIZE_BYTES)]
    for block in blocks:
        assert len(block) < 4_096 or looks_random(block)
    assert len({block[:16] for block in blocks}) == len(blocks)


def test_heads_have_nothing_in_common() -> None:
    """Letters of one site, round after round: all bytes uniform but the point's highest bit."""
    members = recipients([1, 2, 3])
    letters = [
        write_letter(ContentKey(number.to_bytes(32, "big")), elsewhere(round=number), members)
        for number in range(1, 201)
    ]
    highest = {letter[31] & 0x80 for letter in letters}
    assert highest == {0}
    bits = b"".join(letter[:31] + letter[32:] for letter in letters)
    assert looks_random(bits)
    for at in set(range(len(letters[0]))) - {31}:
        column = Counter(letter[at] for letter in letters)
        assert column.most_common(1)[0][1] < 10  # 0.8 expected; ten of one value: below 1e-8
