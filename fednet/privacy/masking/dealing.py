"""Stage 2: a site deals shares of its two secrets to its neighbours, encrypted, with commitments.

The secrets are the seed of its self-mask and its private mask key. A neighbour
gets one share of each, under AES-GCM (NIST SP 800-38D) with a key of its own for
this sender, this receiver and this circle, used for this one message; beside it
stands the SHA-256 of each share with its place. Shares have 256 bits that nobody
can guess, so a hash hides them.

What can be told of whom, by these published bytes alone:

- A share that is disclosed later and does not hash to its commitment is the lie
  of who disclosed it: at receipt it would have refused such a share.
- Commitments to shares that lie on no one polynomial, or on that of another
  secret than advertised, are the dealer's lie; see ``recovery``.
- A neighbour that says it holds no share: either the dealer sent it rubbish or it
  says so falsely. Nobody else can tell, because the key between the two is
  theirs alone. Such a dealer counts only if enough others hold theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fednet.domain.identity import Digest, SiteId
from fednet.errors import DigestMismatchError, MalformedBlobError, VerificationError
from fednet.privacy.masking.circle import Circle
from fednet.privacy.masking.derivation import Purpose, derive
from fednet.privacy.masking.forms import HEAD_SIZE_BYTES, read_body, write_head
from fednet.privacy.masking.keys import SiteSecrets, agree, load
from fednet.privacy.masking.shamir import SHARE_SIZE_BYTES, number_of, split

_FORM = "fednet-shares/1"
_TAG_SIZE_BYTES = 16
_NONCE = bytes(12)
_SEALED_SIZE_BYTES = 2 * SHARE_SIZE_BYTES + _TAG_SIZE_BYTES
_ROW = Struct(f">I32s32s{_SEALED_SIZE_BYTES}s")
_SHARE_DOMAIN = b"fednet-share/1\0"
_SHARE_PLACE = Struct(">32sIIB")


class Kind(IntEnum):
    """Which of a site's two secrets a share is of."""

    SEED = 1
    """The self-mask's; disclosed of sites that count."""
    KEY = 2
    """The private mask key; disclosed of sites that vanished."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a dealer published for one neighbour."""

    seed: Digest
    """Commitment to the share of the seed."""
    key: Digest
    """Commitment to the share of the private mask key."""
    sealed: bytes
    """Both shares, encrypted."""

    def commitment(self, kind: Kind) -> Digest:
        """Return the commitment to one of the shares."""
        return self.seed if kind is Kind.SEED else self.key


@dataclass(frozen=True, slots=True)
class Dealing:
    """What a dealer published for all its neighbours."""

    dealer: SiteId
    rows: Mapping[SiteId, Row]


@dataclass(frozen=True, slots=True)
class HeldShares:
    """The two shares that a neighbour got of one dealer; it ever discloses one of them."""

    seed: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def of(self, kind: Kind) -> bytes:
        """Return one of them."""
        return self.seed if kind is Kind.SEED else self.key


@dataclass(frozen=True, slots=True)
class Received:
    """What a site made of its neighbours' dealings."""

    held: Mapping[SiteId, HeldShares]
    """By dealer; of these the site says that it holds shares."""
    refused: Mapping[SiteId, VerificationError]
    """Why it holds none of the others."""


def dealing_size_bytes(neighbours: int) -> int:
    """Return the size of a dealing to so many neighbours."""
    return HEAD_SIZE_BYTES + len(Digest(bytes(32))) + neighbours * _ROW.size


def deal(circle: Circle, secrets: SiteSecrets) -> bytes:
    """Return a site's dealing; the same bytes whenever it is asked for."""
    seeds = share_out(circle, secrets.site, Kind.SEED, secrets.seed)
    keys = share_out(circle, secrets.site, Kind.KEY, secrets.mask_key)
    private = load(secrets.channel_key)
    parts = [write_head(_FORM, circle.place, secrets.site), circle.view]
    for receiver in circle.neighbours[secrets.site]:
        seed = share_commitment(circle, secrets.site, receiver, Kind.SEED, seeds[receiver])
        key = share_commitment(circle, secrets.site, receiver, Kind.KEY, keys[receiver])
        channel = _channel(circle, private, receiver, secrets.site, receiver)
        sealed = channel.encrypt(_NONCE, seeds[receiver] + keys[receiver], seed + key)
        parts.append(_ROW.pack(receiver, seed, key, sealed))
    return b"".join(parts)


def read_dealing(circle: Circle, dealer: SiteId, data: bytes) -> Dealing:
    """Read what a dealer published; its ciphertexts stay shut.

    Raises:
        MalformedBlobError: It is no dealing of this site to its neighbours in this circle.
    """
    circle.require_member(dealer)
    neighbours = circle.neighbours[dealer]
    body = read_body(data, _FORM, circle.place, dealer, dealing_size_bytes(len(neighbours)))
    subject = f"{_FORM} of site {dealer}"
    if body[: len(circle.view)] != circle.view:
        raise MalformedBlobError("is for other sites or keys", subject=subject)
    rows = {}
    for expected, row in zip(neighbours, _ROW.iter_unpack(body[len(circle.view) :]), strict=True):
        receiver, seed, key, sealed = row
        if receiver != expected:
            raise MalformedBlobError(
                "deals to another than its neighbour",
                subject=subject,
                expected=expected,
                actual=receiver,
            )
        rows[expected] = Row(Digest(seed), Digest(key), sealed)
    return Dealing(dealer, rows)


def open_shares(
    circle: Circle, site: SiteId, private: X25519PrivateKey, dealing: Dealing
) -> HeldShares:
    """Decrypt and check what a dealer dealt to a site, with the site's private channel key.

    Raises:
        VerificationError: It does not decrypt.
        DigestMismatchError: A share does not hash to its commitment.
        MalformedBlobError: A share is no number below the prime.
    """
    row, dealer = dealing.rows[site], dealing.dealer
    channel = _channel(circle, private, dealer, dealer, site)
    subject = f"shares of site {dealer} for site {site}"
    try:
        plain = channel.decrypt(_NONCE, row.sealed, row.seed + row.key)
    except InvalidTag as exc:
        raise VerificationError(
            "do not decrypt",
            subject=subject,
            hint="say that no share is held; whether the dealer sent rubbish cannot be proved",
        ) from exc
    held = HeldShares(plain[:SHARE_SIZE_BYTES], plain[SHARE_SIZE_BYTES:])
    for kind in Kind:
        number_of(held.of(kind), subject)
        actual = share_commitment(circle, dealer, site, kind, held.of(kind))
        if actual != row.commitment(kind):
            raise DigestMismatchError(
                "a share does not hash to its commitment",
                subject=subject,
                expected=row.commitment(kind),
                actual=actual,
            )
    return held


def receive(circle: Circle, secrets: SiteSecrets, dealings: Mapping[SiteId, bytes]) -> Received:
    """Open what the neighbours of a site dealt to it.

    Args:
        circle: Who advertised.
        secrets: The site's.
        dealings: Complete bytes by dealer; of who is no neighbour they are passed over.
    """
    site, private = secrets.site, load(secrets.channel_key)
    held: dict[SiteId, HeldShares] = {}
    refused: dict[SiteId, VerificationError] = {}
    for dealer in circle.neighbours[site]:
        if (data := dealings.get(dealer)) is None:
            continue
        try:
            held[dealer] = open_shares(circle, site, private, read_dealing(circle, dealer, data))
        except VerificationError as exc:
            refused[dealer] = exc
    return Received(held, refused)


def share_out(circle: Circle, dealer: SiteId, kind: Kind, secret: bytes) -> dict[SiteId, bytes]:
    """Return the one right share of a secret for each of the dealer's neighbours."""
    neighbours = circle.neighbours[dealer]
    key = derive(secret, Purpose.POLYNOMIAL, circle.place, str(circle.view), dealer, kind.name)
    shares = split(secret, circle.threshold, neighbours, key)
    return {site: share.value for site, share in zip(neighbours, shares, strict=True)}


def share_commitment(
    circle: Circle, dealer: SiteId, receiver: SiteId, kind: Kind, share: bytes
) -> Digest:
    """Commit to a share and its place."""
    where = _SHARE_PLACE.pack(circle.view, dealer, receiver, kind)
    return Digest(hashlib.sha256(_SHARE_DOMAIN + where + share).digest())


def _channel(
    circle: Circle, private: X25519PrivateKey, other: SiteId, sender: SiteId, receiver: SiteId
) -> AESGCM:
    shared = agree(private, circle.keys[other].channel)
    key = derive(shared, Purpose.CHANNEL, circle.place, str(circle.view), sender, receiver)
    return AESGCM(key)
