"""Merkle-Patricia tries: the root of a list, and proofs of single values.

https://ethereum.org/developers/docs/data-structures-and-encoding/patricia-merkle-trie/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from eth_hash.auto import keccak

from fednet.errors import MalformedBlobError, VerificationError
from fednet.ledger.proofs import rlp_values
from fednet.ledger.proofs.rlp_values import Rlp

EMPTY_ROOT = keccak(b"\x80")
_HASH_SIZE_BYTES = 32
_BRANCH_LENGTH = 17
_Nibbles: TypeAlias = bytes
_Pairs: TypeAlias = list[tuple[_Nibbles, bytes]]


def list_root(values: Sequence[bytes]) -> bytes:
    """Compute the root of the trie that maps each value's position, in RLP, to the value."""
    if not values:
        return EMPTY_ROOT
    pairs = [(_nibbles(rlp_values.encode(at)), value) for at, value in enumerate(values)]
    return bytes(keccak(rlp_values.encode(_node(sorted(pairs)))))


def proven_value(root: bytes, key: bytes, proof: Sequence[bytes], subject: str) -> bytes | None:
    """Read from a proof what a trie with hashed keys holds; None if it proves an absence.

    Args:
        root: Root of the trie.
        key: What is looked for, before hashing.
        proof: The nodes from the root down.
        subject: What is proven, for errors.

    Raises:
        VerificationError: A node is not the one that its parent names, or is missing.
    """
    path, nodes = _nibbles(keccak(key)), list(proof)
    if root == EMPTY_ROOT:
        return None
    wanted: Rlp = root
    while True:
        node = _open(wanted, nodes, subject)
        if len(node) == _BRANCH_LENGTH:
            if not path:
                return rlp_values.as_bytes(node[-1], subject) or None
            wanted, path = node[path[0]], path[1:]
        elif len(node) == 2:
            prefix, is_leaf = _read_prefix(rlp_values.as_bytes(node[0], subject), subject)
            if is_leaf:
                return rlp_values.as_bytes(node[1], subject) if prefix == path else None
            if not path.startswith(prefix):
                return None
            wanted, path = node[1], path[len(prefix) :]
        else:
            raise MalformedBlobError("not a node of a trie", subject=subject)
        if wanted == b"":
            return None


def _open(wanted: Rlp, nodes: list[bytes], subject: str) -> list[Rlp]:
    if isinstance(wanted, list):
        return wanted
    if not nodes or keccak(nodes[0]) != wanted:
        raise VerificationError(
            "the proof does not lead to the root",
            subject=subject,
            expected=wanted.hex(),
            actual=keccak(nodes[0]).hex() if nodes else "no node",
        )
    return rlp_values.decode_list(nodes.pop(0), subject)


def _node(pairs: _Pairs) -> list[object]:
    if len(pairs) == 1:
        path, value = pairs[0]
        return [_write_prefix(path, is_leaf=True), value]
    first, last = pairs[0][0], pairs[-1][0]
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared:
        below = _node([(path[shared:], value) for path, value in pairs])
        return [_write_prefix(first[:shared], is_leaf=False), _reference(below)]
    branch: list[object] = []
    for nibble in range(16):
        inner = [(path[1:], value) for path, value in pairs if path and path[0] == nibble]
        branch.append(_reference(_node(inner)) if inner else b"")
    branch.append(next((value for path, value in pairs if not path), b""))
    return branch


def _reference(node: list[object]) -> object:
    encoded = rlp_values.encode(node)
    return node if len(encoded) < _HASH_SIZE_BYTES else keccak(encoded)


def _nibbles(data: bytes) -> _Nibbles:
    return bytes(half for byte in data for half in (byte >> 4, byte & 15))


def _write_prefix(path: _Nibbles, is_leaf: bool) -> bytes:
    flag = 2 * is_leaf
    padded = bytes((flag + 1,)) + path if len(path) % 2 else bytes((flag, 0)) + path
    return bytes(a << 4 | b for a, b in zip(padded[::2], padded[1::2], strict=True))


def _read_prefix(data: bytes, subject: str) -> tuple[_Nibbles, bool]:
    nibbles = _nibbles(data)
    if not nibbles or nibbles[0] > 3:
        raise MalformedBlobError("not a path of a trie", subject=subject)
    return nibbles[1 if nibbles[0] & 1 else 2 :], nibbles[0] >= 2
