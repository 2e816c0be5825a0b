"""Sign what the batched rounds module carries, and say whose signature it is.

An update's signature is verified by members and the audit, an attestation's by
the contract too. What is signed stands in ``fednet.domain.batch_signing``.
"""

from __future__ import annotations

from functools import lru_cache

from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_typing import Hash32
from eth_utils.exceptions import ValidationError

from fednet.domain.batches import SIGNATURE_SIZE_BYTES
from fednet.domain.identity import Address, Digest

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve secp256k1 (SEC 2, section 2.4.1)."""
_RECOVERY_OFFSET = 27
_MOST_REMEMBERED = 4096


def sign(digest: Digest, account: LocalAccount) -> bytes:
    """Return the 65 bytes of the signature; the same digest always gives the same (RFC 6979)."""
    return bytes(account.unsafe_sign_hash(Hash32(digest)).signature)


@lru_cache(_MOST_REMEMBERED)
def signer_of(digest: Digest, signature: bytes) -> Address | None:
    """Recover whose signature it is; None if it is nobody's.

    Of the two forms of a signature only the lower is one, as in the contract
    (OpenZeppelin's ECDSA; EIP-2), so that nobody can make a second. What is asked
    again, of a mailbox and then of a sheet, is not computed again.
    """
    if len(signature) != SIGNATURE_SIZE_BYTES:
        return None
    recovery = signature[-1] - _RECOVERY_OFFSET
    if recovery not in (0, 1) or int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        return None
    try:
        plain = Signature(signature[:-1] + bytes([recovery]))
        key = plain.recover_public_key_from_msg_hash(bytes(digest))
    except (BadSignature, ValidationError):
        return None
    return Address(key.to_checksum_address())
