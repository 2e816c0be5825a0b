"""Checkpoints as bytes, and their signatures."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain.checkpoint import (
    COMMITMENT_MARK,
    MAX_CHECKPOINT_SIZE_BYTES,
    Checkpoint,
    SignedCheckpoint,
)
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.errors import MalformedBlobError, VerificationError
from fednet.ledger.checkpoints import sign_checkpoint, verify_checkpoint

ACCOUNT = Account.from_key("0x" + "11" * 32)
STATEMENT = Checkpoint(
    chain_id=1337,
    genesis_hash=Digest(bytes([1]) * 32),
    runs=Address("0x" + "22" * 20),
    site=SiteId(3),
    block=40,
    block_hash=Digest(bytes([4]) * 32),
    run=RunId(5),
    round=RoundNumber(6),
    record=Commitment(bytes([7]) * 32),
    time=1_700_000_000,
)
SIGNED = sign_checkpoint(STATEMENT, ACCOUNT)


def test_signature_of_a_known_key_is_the_known_one() -> None:
    """A golden vector: another implementation of the typed data must get these bytes."""
    assert SIGNED.account == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    assert SIGNED.signature.hex() == (
        "9b64b435867c64dcf8bf8d8353dab80ccee8fc470ccb1e71cef2d84e3baef20e2a7c11"
        "fbe2d1234b176825fcd8b015a79964ace5f6ed61146b823cb8c71ef8041c"
    )
    verify_checkpoint(SIGNED)


def test_bytes_are_read_back() -> None:
    assert SignedCheckpoint.from_bytes(SIGNED.to_bytes(), "it") == SIGNED
    assert b"\n" not in SIGNED.to_bytes()
    assert len(SIGNED.to_bytes()) < MAX_CHECKPOINT_SIZE_BYTES // 4


def test_blob_is_marked_and_says_the_same() -> None:
    blob = SIGNED.to_blob()
    assert blob.commitment.startswith(COMMITMENT_MARK)
    assert (blob.statement, blob.signature) == (SIGNED.statement, SIGNED.signature)
    assert SignedCheckpoint.from_bytes(blob.to_bytes(), "it") == blob
    verify_checkpoint(blob)


@pytest.mark.parametrize("name", [field.name for field in fields(Checkpoint)])
def test_signature_covers_every_field(name: str) -> None:
    value = getattr(STATEMENT, name)
    other: object
    if isinstance(value, int):
        other = value + 1
    elif isinstance(value, bytes):
        other = type(value)(bytes(32))
    else:
        other = "0x" + "33" * 20
    changed = replace(STATEMENT, **{name: other})  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        verify_checkpoint(replace(SIGNED, statement=changed))


@given(st.binary(min_size=65, max_size=65))
def test_no_other_signature_holds(signature: bytes) -> None:
    with pytest.raises(VerificationError):
        verify_checkpoint(replace(SIGNED, signature=signature))


@given(st.binary(max_size=200))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        SignedCheckpoint.from_bytes(data, "rubbish")


@pytest.mark.parametrize(
    "change",
    [
        (b'"round":6', b'"round":-6'),
        (b'"round":6', b'"round":6.0'),
        (b'"block":40', b'"block":40,"more":1'),
        (b'"block":40', b'"block":18446744073709551616'),
        (b'"site":3', b'"site":"3"'),
        (b"{", b"{ "),
        (b'"0x', b'"0y'),
    ],
)
def test_other_forms_are_refused(change: tuple[bytes, bytes]) -> None:
    data = SIGNED.to_bytes()
    assert change[0] in data
    with pytest.raises(MalformedBlobError):
        SignedCheckpoint.from_bytes(data.replace(*change), "it")


def test_too_large_is_refused_unread() -> None:
    with pytest.raises(MalformedBlobError, match="too large"):
        SignedCheckpoint.from_bytes(b"[" * (MAX_CHECKPOINT_SIZE_BYTES + 1), "it")
