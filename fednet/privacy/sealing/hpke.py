"""Seal a short message to an X25519 key: HPKE in base mode, one message a key.

RFC 9180 with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305;
any library for it opens what is sealed here. What libraries do not offer, and
why it is written out: the ephemeral pair is the caller's, so that one pair can
serve all readers of a letter and anybody who has the key can seal it again,
byte for byte. It must never seal two messages for one reader and one ``info``.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fednet.errors import UnsealingError

PUBLIC_KEY_SIZE_BYTES: Final = 32
OVERHEAD_SIZE_BYTES: Final = 16
"""How much longer a sealed message is than the message, the encapsulated key not counted."""
MESSAGE_OVERHEAD_SIZE_BYTES: Final = PUBLIC_KEY_SIZE_BYTES + OVERHEAD_SIZE_BYTES
"""The same of a message that begins with it."""

_KEM = b"KEM\x00\x20"
_HPKE = b"HPKE\x00\x20\x00\x01\x00\x03"
_SECRET_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12
_BASE_MODE = b"\x00"
_PROBE = X25519PrivateKey.from_private_bytes(bytes(range(32)))


def is_usable(public_key: bytes) -> bool:
    """Tell whether a secret can be agreed with the holder of a key.

    With a point of small order it would be zero, whatever the other's key is
    (RFC 7748, section 6.1); the answer is the same on every machine.
    """
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        return False
    return True


def derive_key_pair(seed: bytes) -> X25519PrivateKey:
    """Derive a private key from a seed of at least 32 bytes (RFC 9180, section 7.1.3)."""
    secret = _extract(_KEM, b"", b"dkp_prk", seed)
    return X25519PrivateKey.from_private_bytes(
        _expand(_KEM, secret, b"sk", b"", PUBLIC_KEY_SIZE_BYTES)
    )


def seal(
    ephemeral: X25519PrivateKey, public_key: bytes, info: bytes, message: bytes, aad: bytes = b""
) -> bytes:
    """Seal a message for one key; the ephemeral public key travels beside it.

    Raises:
        ValueError: The key is not usable.
    """
    encapsulated = ephemeral.public_key().public_bytes_raw()
    agreed = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    box, nonce = _box(agreed, encapsulated + public_key, info)
    return box.encrypt(nonce, message, aad)


def unseal(
    private: X25519PrivateKey,
    encapsulated: bytes,
    info: bytes,
    sealed: bytes,
    subject: str,
    aad: bytes = b"",
) -> bytes:
    """Open a sealed message.

    Raises:
        UnsealingError: Sealed for another key or with another ``info``, or altered.
    """
    try:
        agreed = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
        box, nonce = _box(agreed, encapsulated + private.public_key().public_bytes_raw(), info)
        return box.decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError) as exc:
        raise UnsealingError(
            "this encryption key does not open it",
            subject=subject,
            hint="it was sealed for another key or another place, or altered on its way",
        ) from exc


def seal_message(public_key: bytes, info: bytes, message: bytes) -> bytes:
    """Seal a message with an ephemeral pair of its own, whose public half it begins with.

    Raises:
        ValueError: The key is not usable.
    """
    ephemeral = X25519PrivateKey.generate()
    encapsulated = ephemeral.public_key().public_bytes_raw()
    return encapsulated + seal(ephemeral, public_key, info, message)


def unseal_message(private: X25519PrivateKey, info: bytes, data: bytes, subject: str) -> bytes:
    """Open what `seal_message` sealed.

    Raises:
        UnsealingError: Sealed for another key or with another ``info``, or altered.
    """
    encapsulated, sealed = data[:PUBLIC_KEY_SIZE_BYTES], data[PUBLIC_KEY_SIZE_BYTES:]
    return unseal(private, encapsulated, info, sealed, subject)


def _box(agreed: bytes, context: bytes, info: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    """Derive the shared secret (section 4.1), then the key and its nonce (section 5.1)."""
    prk = _extract(_KEM, b"", b"eae_prk", agreed)
    shared = _expand(_KEM, prk, b"shared_secret", context, _SECRET_SIZE_BYTES)
    psk_id_hash = _extract(_HPKE, b"", b"psk_id_hash", b"")
    schedule = _BASE_MODE + psk_id_hash + _extract(_HPKE, b"", b"info_hash", info)
    secret = _extract(_HPKE, shared, b"secret", b"")
    key = _expand(_HPKE, secret, b"key", schedule, _SECRET_SIZE_BYTES)
    return ChaCha20Poly1305(key), _expand(_HPKE, secret, b"base_nonce", schedule, _NONCE_SIZE_BYTES)


def _extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, size_bytes: int) -> bytes:
    """Expand to at most one block of the hash, which is all that is asked for here."""
    labelled = size_bytes.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", "sha256")[:size_bytes]
