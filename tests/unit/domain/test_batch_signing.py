"""What is signed is the digest of EIP-712, as eth_account's general encoder computes it."""

from __future__ import annotations

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.messages import pack, unpack

MODULE = Module(31_337, Address("0x5b877a49927E1B341897769e27D51B3A1E6A7a97"))
DOMAIN = {
    "name": "fednet BatchedRounds", "version": "1", "chainId": 31_337,
    "verifyingContract": MODULE.address,
}  # fmt: skip
ONE, TWO = Commitment.of(b"one"), Commitment.of(b"two")
UPDATE = Update(RunId(1), RoundNumber(2), 3, SiteId(4), ONE, 2**40 - 1, Locator(TWO))
ATTESTATION = Attestation(RunId(2**64 - 1), RoundNumber(2), 255, 1, SiteId(9), ONE, Digest(TWO))
TYPES = {
    Update: [
        ("run", "uint64"), ("round", "uint32"), ("attempt", "uint8"), ("site", "uint32"),
        ("commitment", "bytes32"), ("weight", "uint64"), ("locator", "bytes32"),
    ],
    Attestation: [
        ("run", "uint64"), ("round", "uint32"), ("attempt", "uint8"), ("proposal", "uint8"),
        ("site", "uint32"), ("settlement", "bytes32"), ("witness", "bytes32"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("value", [UPDATE, ATTESTATION])
def test_digests_are_those_of_a_general_encoder(value: Update | Attestation) -> None:
    fields = TYPES[type(value)]
    held = {name: getattr(value, name) for name, _ in fields}
    plain = {name: bytes(each) if isinstance(each, bytes) else each for name, each in held.items()}
    types = {type(value).__name__: [{"name": name, "type": kind} for name, kind in fields]}
    assert MODULE.digest(value) == _hash_eip191_message(encode_typed_data(DOMAIN, types, plain))


def test_another_chain_or_module_signs_another_digest() -> None:
    others = (Module(1, MODULE.address), Module(31_337, Address("0x" + "11" * 20)))
    assert len({MODULE.digest(UPDATE), *(each.digest(UPDATE) for each in others)}) == 3


@pytest.mark.parametrize("value", [UPDATE, ATTESTATION])
def test_messages_come_back_as_they_were_sent(value: Update | Attestation) -> None:
    assert unpack(pack(value, b"s" * 65)) == (value, b"s" * 65)


def test_what_is_no_message_is_none() -> None:
    whole = pack(UPDATE, bytes(65))
    for strange in (b"", b"U", whole[:-1], whole + b"\0", b"X" + whole[1:], b"A" + whole[1:]):
        assert unpack(strange) is None
    assert unpack(b"X" + pack(ATTESTATION, bytes(65))[1:]) is None
