"""Sign a letter with a swarm's key as typed data (EIP-712), and tell whose account signed one."""

from __future__ import annotations

from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address, Commitment
from fednet.ledger.typed_data import require_signer

_NAME, _VERSION = "fednet swarm letter", "1"
_TYPES = {"SwarmLetter": [{"name": "letter", "type": "bytes32"}]}


def sign_swarm_letter(
    chain_id: int, registry: Address, letter: Commitment, account: LocalAccount
) -> bytes:
    """Return the 65 bytes of the signature, valid for this deployment alone."""
    return bytes(account.sign_message(_signable(chain_id, registry, letter)).signature)


def verify_swarm_letter(
    chain_id: int, registry: Address, letter: Commitment, account: str, signature: bytes
) -> None:
    """Raise unless the account that is named signed.

    Whether that account is an operator's is for the ledger to say.

    Raises:
        VerificationError: Somebody else signed, or nobody.
    """
    signable = _signable(chain_id, registry, letter)
    require_signer(signable, signature, account, "letter with the swarm's key")


def _signable(chain_id: int, registry: Address, letter: Commitment) -> SignableMessage:
    domain = {
        "name": _NAME,
        "version": _VERSION,
        "chainId": chain_id,
        "verifyingContract": registry,
    }
    return encode_typed_data(domain, _TYPES, {"letter": bytes(letter)})
