"""Every block of a sealed blob, as a Kubo node keeps it, against one of mere random bytes.

A block is its content in a frame that says its size (UnixFS in dag-pb). The frame is
that of any file of this size; what it holds is noise. Bounds are six standard deviations wide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fednet.blobs import NO_LISTEN, EmbeddedStore, new_swarm_key
from fednet.blobs.cid import CHUNK_SIZE_BYTES, blocks_of, cid_of
from fednet.domain.identity import Commitment, Locator
from fednet.privacy.sealing import ContentKey, seal
from tests.unit.privacy.sealing.members import MEMBERS, PLACE
from tests.unit.privacy.sealing.test_looks_random import looks_random

SIZE_BYTES = 5 * CHUNK_SIZE_BYTES + 70_000
CONTENT = b"\0\0\x80\x3f" * (SIZE_BYTES // 4)
"""An update of ones: nothing is easier to tell."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(
        tmp_path / "repo", tmp_path / "cache", swarm_key=new_swarm_key(), listen=NO_LISTEN
    )
    with closing(opened):
        yield opened


def kept(folder: Path, store: EmbeddedStore, data: bytes) -> list[bytes]:
    """Publish bytes and return those blocks of theirs that are on the node's disk, by size."""
    blocks = folder / "repo" / "blocks"
    before = set(blocks.rglob("*.data"))
    path = folder / "file"
    path.write_bytes(data)
    store.publish(path)
    new = {each.read_bytes() for each in set(blocks.rglob("*.data")) - before}
    found = {block for block in new if Commitment.of(block) in blocks_of(data)}
    # All else is the node's list of what it was given, by content identifier.
    for block in new - found:
        assert cid_of(blocks_of(data)[-1]).encode() in block
        assert parted(block, data)[1] == b""
        assert len(block) < 300
    return sorted(found, key=lambda block: (len(block), block))


def parted(block: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Part a block into its frame and the chunk of the file that stands in it."""
    for start in range(0, len(data), CHUNK_SIZE_BYTES):
        chunk = data[start : start + CHUNK_SIZE_BYTES]
        if chunk in block:
            head, _, tail = block.partition(chunk)
            return head + tail, chunk
    return block, b""


def test_blocks_of_a_sealed_blob_differ_from_those_of_noise_in_nothing(
    tmp_path: Path, store: EmbeddedStore
) -> None:
    clear, target = tmp_path / "clear", tmp_path / "sealed"
    clear.write_bytes(CONTENT)
    key = ContentKey(bytes(range(100, 132)))
    seal(clear, target, key, PLACE, MEMBERS)
    sealed = target.read_bytes()
    store.address()  # what a new node keeps of itself is there before
    blocks = kept(tmp_path, store, sealed)
    assert len(blocks) == len(blocks_of(sealed)) == 7
    noise = os.urandom(len(sealed))
    others = kept(tmp_path, store, noise)
    frames, chunks = zip(*(parted(block, sealed) for block in blocks), strict=True)
    assert sum(map(len, chunks)) == len(sealed)
    other_frames, _ = zip(*(parted(block, noise) for block in others), strict=True)
    # The smallest block names the others, by digest and size.
    assert chunks[0] == b""
    top = without_digests(frames[0], blocks_of(sealed))
    assert top == without_digests(other_frames[0], blocks_of(noise))
    assert frames[1:] == other_frames[1:]
    for chunk in chunks[1:]:
        assert looks_random(chunk)
        assert b"fednet" not in chunk


def test_blocks_of_a_blob_in_the_clear_are_told_from_noise(
    tmp_path: Path, store: EmbeddedStore
) -> None:
    """The control: of what is not sealed the same measure finds every block."""
    store.address()
    chunks = [parted(block, CONTENT)[1] for block in kept(tmp_path, store, CONTENT)]
    assert [looks_random(chunk) for chunk in chunks if chunk] == [False, False]


def without_digests(block: bytes, digests: list[Locator]) -> bytes:
    for digest in digests:
        block = block.replace(digest, b"")
    return block
