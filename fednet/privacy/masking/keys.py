"""A site's secrets of one attempt, all derived from one root of 32 random bytes.

A node draws the root afresh for every attempt and keeps it in its journal before
anything leaves, so that a restart repeats the same acts byte for byte. A root is
never used for another attempt: derivation binds it to its place.

X25519 (RFC 7748) is not contributory: some public keys give the same secret with
everybody. They are refused here. Two sites may advertise the same key, because
every derived key is bound to both sites' ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from fednet.domain.identity import SiteId
from fednet.domain.update import Place
from fednet.errors import VerificationError
from fednet.privacy.masking.derivation import KEY_SIZE_BYTES, Purpose, derive

_ANY_PRIVATE = X25519PrivateKey.from_private_bytes(bytes([8]) * KEY_SIZE_BYTES)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What a site advertises for one attempt."""

    mask: bytes
    """Agrees on the masks of pairs; its private half is dealt in shares."""
    channel: bytes
    """Agrees on the keys that shares are encrypted with; its private half stays at the site."""


@dataclass(frozen=True, slots=True)
class SiteSecrets:
    """What one site knows alone in one attempt."""

    place: Place
    site: SiteId
    root: bytes = field(repr=False)
    """32 random bytes, drawn for this attempt."""

    def __post_init__(self) -> None:
        """Refuse a root of another size."""
        if len(self.root) != KEY_SIZE_BYTES:
            raise ValueError("a root has 32 bytes")

    @property
    def mask_key(self) -> bytes:
        """Return the private key that agrees on masks; as a number below 2**255."""
        return _clamped(derive(self.root, Purpose.MASK_KEY, self.place, self.site))

    @property
    def channel_key(self) -> bytes:
        """Return the private key that agrees on the encryption of shares."""
        return derive(self.root, Purpose.CHANNEL_KEY, self.place, self.site)

    @property
    def seed(self) -> bytes:
        """Return what the self-mask grows from; as a number below 2**255."""
        raw = derive(self.root, Purpose.SELF_SEED, self.place, self.site)
        return raw[:-1] + bytes([raw[-1] & 0x7F])

    @property
    def public(self) -> PublicKeys:
        """Return what is advertised."""
        return PublicKeys(public_of(self.mask_key), public_of(self.channel_key))


def load(private: bytes) -> X25519PrivateKey:
    """Make a private key ready to agree with several others."""
    return X25519PrivateKey.from_private_bytes(private)


def public_of(private: bytes) -> bytes:
    """Return the public half of a private key."""
    return load(private).public_key().public_bytes_raw()


def agree(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return the secret that two sites share.

    Raises:
        VerificationError: The public key would give the same secret with everybody.
    """
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as exc:
        raise VerificationError("not a public key that keeps a secret") from exc


def require_usable(public: bytes, subject: str) -> None:
    """Raise unless secrets agreed with a public key are secret.

    Raises:
        VerificationError: It has one of the few small orders; it has them with every private key.
    """
    try:
        agree(_ANY_PRIVATE, public)
    except VerificationError as exc:
        raise VerificationError(
            "advertised a key that keeps no secret", subject=subject, actual=public.hex()
        ) from exc


def _clamped(raw: bytes) -> bytes:
    """Set and clear the bits of a private key that X25519 sets and clears itself."""
    return bytes([raw[0] & 0xF8]) + raw[1:-1] + bytes([raw[-1] & 0x7F | 0x40])
