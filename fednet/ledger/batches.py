"""Sign what the batched rounds module carries, and say whose signature it is (EIP-712).

An update's signature is verified by members and the audit, an attestation's by
the contract too. Both bind the chain, the module, the run, the round and the
attempt, so that none can be replayed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from fednet.domain.batches import SIGNATURE_SIZE_BYTES
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)

_NAME, _VERSION = "fednet BatchedRounds", "1"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve secp256k1 (SEC 2, section 2.4.1)."""


def _fields(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in pairs]


_UPDATE = {
    "Update": _fields(
        ("run", "uint64"), ("round", "uint32"), ("attempt", "uint8"), ("site", "uint32"),
        ("commitment", "bytes32"), ("weight", "uint64"), ("locator", "bytes32"),
    )
}  # fmt: skip
_ATTESTATION = {
    "Attestation": _fields(
        ("run", "uint64"), ("round", "uint32"), ("attempt", "uint8"), ("proposal", "uint8"),
        ("site", "uint32"), ("settlement", "bytes32"), ("witness", "bytes32"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """The rounds contract that signatures are for."""

    chain_id: int
    address: Address


@dataclass(frozen=True, slots=True)
class Update:
    """What a site signs to have its update handed in with others."""

    run: RunId
    round: RoundNumber
    attempt: int
    site: SiteId
    commitment: Commitment
    weight: int
    locator: Locator


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a site signs to have its attestation carried with others."""

    run: RunId
    round: RoundNumber
    attempt: int
    proposal: int
    site: SiteId
    settlement: Digest
    """Of the proposal, as the module stores it; see ``credits.settlement_hash``."""
    witness: Digest


def sign(value: Update | Attestation, module: Module, account: LocalAccount) -> bytes:
    """Return the 65 bytes of the signature, valid for this module of this chain alone."""
    return bytes(account.sign_message(_message(value, module)).signature)


def signer_of(value: Update | Attestation, module: Module, signature: bytes) -> Address | None:
    """Recover whose signature it is; None if it is nobody's.

    Of the two forms of a signature only the lower is one, as in the contract
    (OpenZeppelin's ECDSA; EIP-2), so that nobody can make a second.
    """
    if len(signature) != SIGNATURE_SIZE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        return None
    try:
        found = Account.recover_message(_message(value, module), signature=signature)
    except Exception:  # the libraries beneath raise errors of several kinds for a stranger's bytes
        return None
    return Address(found)


def _message(value: Update | Attestation, module: Module) -> SignableMessage:
    kind = _UPDATE if isinstance(value, Update) else _ATTESTATION
    (fields,) = kind.values()
    domain: Mapping[str, object] = {
        "name": _NAME, "version": _VERSION, "chainId": module.chain_id,
        "verifyingContract": module.address,
    }  # fmt: skip
    found = {each["name"]: getattr(value, each["name"]) for each in fields}
    plain = {name: bytes(held) if isinstance(held, bytes) else held for name, held in found.items()}
    return encode_typed_data(dict(domain), kind, plain)
