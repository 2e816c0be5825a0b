"""Sign an institution's application as typed data (EIP-712), for the register to check."""

from __future__ import annotations

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from fednet.domain.ledger import Application, Deployment

_NAME, _VERSION = "fednet SiteRegistry", "1"
_TYPES = {
    "Application": [
        {"name": "account", "type": "address"},
        {"name": "name", "type": "string"},
        {"name": "metadata", "type": "bytes32"},
        {"name": "encryptionKey", "type": "bytes32"},
        {"name": "storeAddress", "type": "string"},
        {"name": "deadline", "type": "uint256"},
    ]
}


def sign(application: Application, deployment: Deployment, account: LocalAccount) -> bytes:
    """Return the 65 bytes of the signature, valid for this deployment alone."""
    domain = {
        "name": _NAME,
        "version": _VERSION,
        "chainId": deployment.chain_id,
        "verifyingContract": deployment.site_registry,
    }
    message = {
        "account": application.account,
        "name": application.name,
        "metadata": bytes(application.metadata),
        "encryptionKey": application.encryption_key,
        "storeAddress": application.store_address,
        "deadline": application.deadline,
    }
    signable = encode_typed_data(domain, _TYPES, message)
    return bytes(account.sign_message(signable).signature)
