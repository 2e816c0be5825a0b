"""The key that sites share, handed from one to another, sealed to the other's registered key.

::

    identity         32 bytes of the key, which the plan names
    sealed message   the key's bytes, HPKE (RFC 9180), bound to identity and chain

Who hands it on must be sure that the other is a site of the run and no aggregator:
nothing here knows that.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain import canonical
from fednet.domain.identity import DIGEST_SIZE_BYTES, Digest
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.homomorphic.ckks import MOST_KEY_BYTES, CkksKey
from fednet.privacy.sealing import hpke

KEY_FORMAT = "fednet-shared-key/1"
MOST_HANDED_BYTES = DIGEST_SIZE_BYTES + hpke.MESSAGE_OVERHEAD_SIZE_BYTES + MOST_KEY_BYTES


def hand_over(key: CkksKey, chain_id: int, public_key: bytes) -> bytes:
    """Seal a key for one site; each call gives other bytes.

    Raises:
        SettingsError: No secret can be agreed with the site's registered key.
    """
    if not hpke.is_usable(public_key):
        raise SettingsError(
            "no secret can be agreed with this encryption key",
            subject=f"homomorphic key {key.identity}",
            actual=public_key.hex(),
            hint="let the site register another with `fednet site rotate-key`",
        )
    bound = _bind(key.identity, chain_id)
    return key.identity + hpke.seal_message(public_key, bound, key.to_bytes())


def take_over(data: bytes, chain_id: int, private: X25519PrivateKey) -> CkksKey:
    """Open a key that was handed to this site.

    Raises:
        UnsealingError: For another site or chain, altered, or cut short.
        SettingsError: It opens, and holds no such key.
    """
    if not DIGEST_SIZE_BYTES < len(data) <= MOST_HANDED_BYTES:
        raise UnsealingError(
            "has no size that a handed key can have",
            subject="homomorphic key",
            actual=f"{len(data)} bytes",
            hint="it was cut short, or is something else",
        )
    identity = Digest(data[:DIGEST_SIZE_BYTES])
    subject = f"homomorphic key {identity}"
    bound = _bind(identity, chain_id)
    key = CkksKey(hpke.unseal_message(private, bound, data[DIGEST_SIZE_BYTES:], subject))
    if key.identity != identity:
        raise SettingsError(
            "is another key than it says",
            subject=subject,
            actual=key.identity,
            hint="ask another site of the run for it",
        )
    return key


def _bind(identity: Digest, chain_id: int) -> bytes:
    return canonical.encode([KEY_FORMAT, chain_id, str(identity)])
