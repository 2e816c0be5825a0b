"""Tries and RLP against published vectors, and against strangers."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from fednet.errors import MalformedBlobError, VerificationError
from fednet.ledger.proofs import rlp_values
from fednet.ledger.proofs.trie import EMPTY_ROOT, list_root, proven_value


def test_empty_list_has_the_root_that_every_empty_block_names() -> None:
    known = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert list_root([]).hex() == EMPTY_ROOT.hex() == known


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"dog", "83646f67"),
        ([b"cat", b"dog"], "c88363617483646f67"),
        (b"", "80"),
        ([], "c0"),
        (0, "80"),
        (15, "0f"),
        (1024, "820400"),
        ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
        (b"Lorem ipsum dolor sit amet, consectetur adipisicing elit",
         "b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e73656374657475722061"
         "646970697369"
         "63696e6720656c6974"),
    ],
)  # fmt: skip
def test_values_of_the_ethereum_wiki(value: object, encoded: str) -> None:
    assert rlp_values.encode(value).hex() == encoded
    if not isinstance(value, int):
        assert rlp_values.decode(bytes.fromhex(encoded), "value") == value


@pytest.mark.parametrize(
    "data",
    ["", "81", "8100", "b800", "b80161", "b90001", "c1", "c0c0", "bf" + "ff" * 8, "f8", "c9" * 40,
     "817f", "b7", "ff" + "ff" * 8],
)  # fmt: skip
def test_other_spellings_are_refused(data: str) -> None:
    with pytest.raises(MalformedBlobError):
        rlp_values.decode(bytes.fromhex(data), "value")


def test_deep_nesting_is_refused_without_recursion() -> None:
    data = b"\xc0"
    for _ in range(2_000):
        data = rlp_values.encode([])[:0] + _wrap(data)
    with pytest.raises(MalformedBlobError, match="not RLP"):
        rlp_values.decode(data, "value")


def _wrap(data: bytes) -> bytes:
    size = len(data)
    if size < 56:
        return bytes([0xC0 + size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([0xF7 + len(length)]) + length + data


def test_proof_of_another_root_is_refused() -> None:
    leaf = rlp_values.encode([b"\x20" + keccak(b"key"), b"value"])
    root = keccak(leaf)
    assert proven_value(root, b"key", [leaf], "test") == b"value"
    assert proven_value(root, b"other", [leaf], "test") is None
    with pytest.raises(VerificationError, match="does not lead to the root"):
        proven_value(keccak(b"x"), b"key", [leaf], "test")
    with pytest.raises(VerificationError, match="does not lead to the root"):
        proven_value(root, b"key", [], "test")
