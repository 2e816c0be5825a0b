"""Sign checkpoints as typed data (EIP-712), and tell whose account signed one."""

from __future__ import annotations

from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.identity import Address
from fednet.ledger.typed_data import require_signer

_NAME, _VERSION = "fednet checkpoint", "1"
_TYPES = {
    "Checkpoint": [
        {"name": "genesisHash", "type": "bytes32"},
        {"name": "site", "type": "uint32"},
        {"name": "block", "type": "uint64"},
        {"name": "blockHash", "type": "bytes32"},
        {"name": "run", "type": "uint64"},
        {"name": "round", "type": "uint32"},
        {"name": "record", "type": "bytes32"},
        {"name": "time", "type": "uint64"},
    ]
}


def sign_checkpoint(statement: Checkpoint, account: LocalAccount) -> SignedCheckpoint:
    """Sign a statement, valid for its deployment alone."""
    signature = bytes(account.sign_message(_signable(statement)).signature)
    return SignedCheckpoint(statement, Address(account.address), signature)


def verify_checkpoint(signed: SignedCheckpoint) -> None:
    """Raise unless the account that is named signed the statement.

    Whether that account may speak for the site is for the ledger's history to say.

    Raises:
        VerificationError: Somebody else signed, or nobody.
    """
    require_signer(_signable(signed.statement), signed.signature, signed.account, signed.subject)


def _signable(statement: Checkpoint) -> SignableMessage:
    domain = {
        "name": _NAME,
        "version": _VERSION,
        "chainId": statement.chain_id,
        "verifyingContract": statement.runs,
    }
    message = {
        "genesisHash": bytes(statement.genesis_hash),
        "site": statement.site,
        "block": statement.block,
        "blockHash": bytes(statement.block_hash),
        "run": statement.run,
        "round": statement.round,
        "record": bytes(statement.record),
        "time": statement.time,
    }
    return encode_typed_data(domain, _TYPES, message)
