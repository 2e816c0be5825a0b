"""The letter at the head of a sealed blob: its key, wrapped for every member.

::

    encapsulated key    32 bytes, one X25519 public key for all
    wrapped key         48 bytes for each recipient, in ascending order of site

The ephemeral pair is derived from the content key, the place and the
recipients, so that a letter has one spelling: whoever opens its own wrap writes
the whole letter again and compares. A letter that is right for one recipient
and wrong for another is wrong for both, and nobody can claim in vain that its
own wrap was bad. (Deriving the randomness from the message is the transform of
Fujisaki and Okamoto, 1999; one ephemeral pair for many readers is Kurosawa's,
2002. Both are sound here because the message is a uniformly random key.)

Nothing in it tells what it is, for whom, or under which keys: recipients are
those whom the ledger names for the place.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain import canonical
from fednet.domain.identity import SiteId
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import hpke
from fednet.privacy.sealing.keys import KEY_SIZE_BYTES, ContentKey
from fednet.privacy.sealing.place import BlobPlace

MOST_RECIPIENTS = 4_096
WRAP_SIZE_BYTES = KEY_SIZE_BYTES + hpke.OVERHEAD_SIZE_BYTES


@dataclass(frozen=True)
class Recipients:
    """The members whom the ledger names for a place, with their registered keys.

    Build it with `of`, which sorts.
    """

    keys: tuple[tuple[SiteId, bytes], ...]
    """Site and X25519 public key, in ascending order of site."""
    unreachable: tuple[SiteId, ...] = ()
    """Members left out because no secret can be agreed with the key that they registered."""

    @classmethod
    def of(cls, registered: Mapping[SiteId, bytes]) -> Self:
        """Sort out whom a letter can reach; the same for everybody who reads the ledger.

        Raises:
            SettingsError: Nobody, or too many.
        """
        if len(registered) > MOST_RECIPIENTS:
            raise _unsealable(len(registered))
        usable, unreachable = [], []
        for site, key in sorted(registered.items()):
            if hpke.is_usable(key):
                usable.append((site, key))
            else:
                unreachable.append(site)
        if not usable:
            raise _unsealable(0)
        return cls(tuple(usable), tuple(unreachable))

    @property
    def letter_size_bytes(self) -> int:
        """Return the size of every letter for them."""
        return hpke.PUBLIC_KEY_SIZE_BYTES + WRAP_SIZE_BYTES * len(self.keys)

    @cached_property
    def digest(self) -> str:
        """Identify sites and keys by one hash, in hexadecimal."""
        named = [[site, key.hex()] for site, key in self.keys]
        return hashlib.sha256(canonical.encode(named)).hexdigest()

    def position(self, site: SiteId) -> int:
        """Return where a site's wrap stands.

        Raises:
            UnsealingError: The blob is not meant for it.
        """
        for at, (named, _) in enumerate(self.keys):
            if named == site:
                return at
        raise UnsealingError(
            "is not sealed for this site",
            subject=f"site {site}",
            hint="it was no member when the attempt began, or its registered key is unusable;"
            " see `fednet site list`",
        )


@dataclass(frozen=True)
class Member:
    """A site and the private half of the key that it had registered."""

    site: SiteId
    private: X25519PrivateKey

    @cached_property
    def public_key(self) -> bytes:
        """Return the public half."""
        return self.private.public_key().public_bytes_raw()


def write_letter(key: ContentKey, place: BlobPlace, recipients: Recipients) -> bytes:
    """Wrap a key for the recipients; the same arguments give the same bytes."""
    seed = key.expand(place.bind("letter", recipients.digest))
    ephemeral = hpke.derive_key_pair(seed)
    info = _info(place, recipients)
    wraps = [hpke.seal(ephemeral, public, info, key.secret) for _, public in recipients.keys]
    return ephemeral.public_key().public_bytes_raw() + b"".join(wraps)


def read_letter(
    letter: bytes, place: BlobPlace, recipients: Recipients, member: Member
) -> ContentKey:
    """Open a member's own wrap, and make sure that every other wrap is right as well.

    Raises:
        UnsealingError: Not for this member, in another place, altered, or wrong for somebody.
    """
    at = recipients.position(member.site)
    if recipients.keys[at][1] != member.public_key:
        raise UnsealingError(
            "was sealed for another encryption key of this site",
            subject=str(place),
            expected=recipients.keys[at][1].hex(),
            actual=member.public_key.hex(),
            hint="use the key that was registered when the attempt began; earlier ones are kept"
            " beside it as encryption-N.pem",
        )
    _require_size(letter, place, recipients)
    start = hpke.PUBLIC_KEY_SIZE_BYTES + at * WRAP_SIZE_BYTES
    secret = hpke.unseal(
        member.private,
        letter[: hpke.PUBLIC_KEY_SIZE_BYTES],
        _info(place, recipients),
        letter[start : start + WRAP_SIZE_BYTES],
        str(place),
    )
    key = ContentKey(secret)
    verify_letter(letter, key, place, recipients)
    return key


def verify_letter(letter: bytes, key: ContentKey, place: BlobPlace, recipients: Recipients) -> None:
    """Raise unless a letter is the one that its key, place and recipients give.

    Raises:
        UnsealingError: It is another.
    """
    _require_size(letter, place, recipients)
    if not hmac.compare_digest(letter, write_letter(key, place, recipients)):
        raise UnsealingError(
            "the letter is not the one that this key, place and membership give",
            subject=str(place),
            hint="its author wrapped another key for some member, or it was altered: it counts"
            " for nobody",
        )


def _unsealable(count: int) -> SettingsError:
    return SettingsError(
        "cannot seal for these members",
        expected=f"1 to {MOST_RECIPIENTS} with a usable encryption key",
        actual=count,
        hint="a site registers a new one with `fednet site rotate-key`",
    )


def _info(place: BlobPlace, recipients: Recipients) -> bytes:
    return place.bind("wrap", recipients.digest)


def _require_size(letter: bytes, place: BlobPlace, recipients: Recipients) -> None:
    if len(letter) != recipients.letter_size_bytes:
        raise UnsealingError(
            "is too short to begin with a letter",
            subject=str(place),
            expected=f"{recipients.letter_size_bytes} bytes",
            actual=f"{len(letter)} bytes",
        )
