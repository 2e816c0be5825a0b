"""Sign a report's digest as typed data (EIP-712), and tell whose account signed one.

What the report says is of no interest here: run, block and digest are signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address, Digest, RunId
from fednet.ledger.typed_data import require_signer

_NAME, _VERSION = "fednet report", "1"
_TYPES = {
    "Report": [
        {"name": "run", "type": "uint64"},
        {"name": "block", "type": "uint64"},
        {"name": "blockHash", "type": "bytes32"},
        {"name": "digest", "type": "bytes32"},
    ]
}


@dataclass(frozen=True, slots=True)
class ReportDigest:
    """What is signed; field for field the typed data."""

    chain_id: int
    runs: Address
    """The deployment's catalogue of runs."""
    run: RunId
    block: int
    block_hash: Digest
    digest: Digest


def sign_report(said: ReportDigest, account: LocalAccount) -> bytes:
    """Return the 65 bytes of the signature, valid for this deployment alone."""
    return bytes(account.sign_message(_signable(said)).signature)


def verify_report(said: ReportDigest, account: str, signature: bytes) -> None:
    """Raise unless the account that is named signed.

    Raises:
        VerificationError: Somebody else signed, or nobody.
    """
    require_signer(_signable(said), signature, account, f"report on run {said.run}")


def _signable(said: ReportDigest) -> SignableMessage:
    domain = {
        "name": _NAME,
        "version": _VERSION,
        "chainId": said.chain_id,
        "verifyingContract": said.runs,
    }
    message = {
        "run": said.run,
        "block": said.block,
        "blockHash": bytes(said.block_hash),
        "digest": bytes(said.digest),
    }
    return encode_typed_data(domain, _TYPES, message)
