"""CIDs as Kubo 0.22 computed them for so many zero bytes."""

from __future__ import annotations

import io

import pytest

from fednet.blobs.cid import LINKS_PER_NODE, blocks_of, cid_of, digest_of, locate_bytes, locate_file
from fednet.errors import MalformedBlobError

GOLDEN = {
    0: "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
    1: "QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ",
    100: "QmaQCUzn8bWTjjuqHrSVwVxXdsEk8LkqHS6TWNNWmGTgNb",
    262143: "QmbNDspMkzkMFKyS3eCJGedG7GWRQHSCzJCZLjxP7wyVAx",
    262144: "QmRk1rduJvo5DfEYAaLobS2za9tDszk35hzaNSDCJ74DA7",
    262145: "QmbVuw4C4vcmVKqxoWtgDVobvcHrSn51qsmQmyxjk4sB2Q",
    786432: "QmRmhVyCg3xgoiPqaz62oWr6MRAimWXT19YTzPaGf2Vgh3",
    45613056: "QmY4HSz1oVGdUzb8poVYPLsoqBZjH6LZrtgnme9wWn2Qko",
    45613057: "QmehMASWcBsX7VcEQqs6rpR5AHoBfKyBVEgmkJHjpPg8jq",
}


@pytest.mark.parametrize(("size_bytes", "cid"), GOLDEN.items())
def test_locate_matches_kubo(size_bytes: int, cid: str) -> None:
    assert cid_of(locate_bytes(bytes(size_bytes))) == cid
    assert cid_of(locate_file(io.BytesIO(bytes(size_bytes)))) == cid


def test_blocks_end_with_the_file_itself_and_equal_ones_are_named_once() -> None:
    chunk = 262_144
    assert blocks_of(b"abc") == [locate_bytes(b"abc")]
    data = bytes([1]) * chunk + bytes([2]) * chunk + bytes([1]) * chunk
    blocks = blocks_of(data)
    assert blocks == [
        locate_bytes(bytes([1]) * chunk), locate_bytes(bytes([2]) * chunk), locate_bytes(data),
    ]  # fmt: skip
    deep = blocks_of(bytes((LINKS_PER_NODE + 1) * chunk))
    assert len(deep) == 4
    assert cid_of(deep[-1]) == cid_of(locate_bytes(bytes((LINKS_PER_NODE + 1) * chunk)))


def test_cid_survives_a_round_trip() -> None:
    for cid in GOLDEN.values():
        assert cid_of(digest_of(cid, "test")) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "Qm" + "1" * 44,
        "Qm" + "z" * 44,
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQ0",
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQHH",
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    ],
)
def test_digest_of_refuses_what_is_no_cidv0(text: str) -> None:
    with pytest.raises(MalformedBlobError):
        digest_of(text, "test")
