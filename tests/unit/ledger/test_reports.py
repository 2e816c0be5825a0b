"""The signature of a report: bound to deployment, run, block and digest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from fednet.domain.identity import Address, Digest, RunId
from fednet.errors import VerificationError
from fednet.ledger.reports import ReportDigest, sign_report, verify_report

SAID = ReportDigest(
    chain_id=1337,
    runs=Address("0x" + "11" * 20),
    run=RunId(3),
    block=9,
    block_hash=Digest(b"b" * 32),
    digest=Digest(b"d" * 32),
)
ACCOUNT = Account.from_key(b"k" * 32)


def test_signature_names_its_signer() -> None:
    verify_report(SAID, ACCOUNT.address, sign_report(SAID, ACCOUNT))


@pytest.mark.parametrize(
    "change",
    [{"chain_id": 1}, {"runs": Address("0x" + "12" * 20)}, {"run": RunId(4)}, {"block": 10},
     {"block_hash": Digest(b"c" * 32)}, {"digest": Digest(b"e" * 32)}],
)  # fmt: skip
def test_signature_is_of_one_report(change: dict[str, object]) -> None:
    signature = sign_report(SAID, ACCOUNT)
    with pytest.raises(VerificationError):
        verify_report(replace(SAID, **change), ACCOUNT.address, signature)  # type: ignore[arg-type]


@pytest.mark.parametrize("signature", [b"", bytes(65), b"\xff" * 65, b"s" * 64])
def test_malformed_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(VerificationError):
        verify_report(SAID, ACCOUNT.address, signature)
