"""CIDv0 names computed with hashlib alone, so that a blob can be named unpublished.

The tree is the one Kubo builds by default (UnixFS 1.0 in dag-pb, fixed chunks,
balanced, https://specs.ipfs.tech/unixfs/): leaves carry data, inner nodes carry
links and sizes. CIDv1, raw leaves, directories and trickle trees are not built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from fednet.domain.identity import DIGEST_SIZE_BYTES, Locator
from fednet.errors import MalformedBlobError

CHUNK_SIZE_BYTES = 256 * 1024
"""Kubo's ``size-262144`` chunker."""
LINKS_PER_NODE = 174
_MULTIHASH_PREFIX = b"\x12\x20"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CID_LENGTH = 46


class _Node(NamedTuple):
    digest: bytes
    file_size: int
    """Bytes of the file below this node."""
    tree_size: int
    """Bytes of all encoded nodes from here down."""


def cid_of(digest: bytes) -> str:
    """Write a SHA-256 digest as a CIDv0."""
    return base58_encode(_MULTIHASH_PREFIX + digest)


def digest_of(cid: str, subject: str) -> Locator:
    """Read a CIDv0, refusing every other kind of CID.

    Raises:
        MalformedBlobError: Not a CIDv0.
    """
    number = 0
    valid = len(cid) == _CID_LENGTH and cid.startswith("Qm")
    for character in cid if valid else "":
        index = _ALPHABET.find(character)
        valid = valid and index >= 0
        number = number * 58 + max(index, 0)
    if valid and number.bit_length() <= 8 * (DIGEST_SIZE_BYTES + 2):
        raw = number.to_bytes(DIGEST_SIZE_BYTES + 2, "big")
        if raw.startswith(_MULTIHASH_PREFIX):
            return Locator(raw[2:])
    raise MalformedBlobError("not a CIDv0", subject=subject, actual=repr(cid[:80]))


def base58_encode(data: bytes) -> str:
    """Write bytes in the Bitcoin alphabet of base 58."""
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, index = divmod(number, 58)
        text = _ALPHABET[index] + text
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + text


def locate_bytes(data: bytes | memoryview) -> Locator:
    """Compute the digest inside the CIDv0 of a file held in memory."""
    view = memoryview(data)
    chunks = (view[i : i + CHUNK_SIZE_BYTES] for i in range(0, len(view), CHUNK_SIZE_BYTES))
    return locate_chunks(chunks)


def locate_file(file: BinaryIO) -> Locator:
    """Compute the digest inside the CIDv0 of a file, from here to its end."""
    return locate_chunks(iter(lambda: file.read(CHUNK_SIZE_BYTES), b""))


def locate_chunks(chunks: Iterable[bytes | memoryview]) -> Locator:
    """Compute the digest inside the CIDv0 of a file given in whole chunks."""
    *_, top = _levels(chunks)
    return Locator(top[0].digest)


def blocks_of(data: bytes | memoryview) -> list[Locator]:
    """List the digests of all blocks that a file consists of, its own last; equal ones once."""
    view = memoryview(data)
    chunks = (view[i : i + CHUNK_SIZE_BYTES] for i in range(0, len(view), CHUNK_SIZE_BYTES))
    nodes = (Locator(node.digest) for level in _levels(chunks) for node in level)
    return list(dict.fromkeys(nodes))


def _levels(chunks: Iterable[bytes | memoryview]) -> Iterator[list[_Node]]:
    """Build a file's tree from its leaves up; the last level is the one node at its top."""
    level = [_leaf(chunk) for chunk in chunks] or [_leaf(b"")]
    yield level
    while len(level) > 1:
        groups = range(0, len(level), LINKS_PER_NODE)
        level = [_parent(level[i : i + LINKS_PER_NODE]) for i in groups]
        yield level


def _leaf(chunk: bytes | memoryview) -> _Node:
    size = len(chunk)
    data = b"\x08\x02" + (b"\x12" + _varint(size) if size else b"")
    tail = b"\x18" + _varint(size)
    head = b"\x0a" + _varint(len(data) + size + len(tail)) + data
    state = hashlib.sha256(head)
    state.update(chunk)
    state.update(tail)
    return _Node(state.digest(), size, len(head) + size + len(tail))


def _parent(children: list[_Node]) -> _Node:
    size = sum(child.file_size for child in children)
    encoded = b""
    for child in children:
        hash_field = b"\x0a\x22" + _MULTIHASH_PREFIX + child.digest
        link = hash_field + b"\x12\x00\x18" + _varint(child.tree_size)
        encoded += b"\x12" + _varint(len(link)) + link
    data = b"\x08\x02\x18" + _varint(size)
    data += b"".join(b"\x20" + _varint(child.file_size) for child in children)
    encoded += b"\x0a" + _varint(len(data)) + data
    tree_size = len(encoded) + sum(child.tree_size for child in children)
    return _Node(hashlib.sha256(encoded).digest(), size, tree_size)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
