"""Stage 5: a site discloses one share of each neighbour, for one set, once.

Of a neighbour that counts it is the share of the seed, of one that vanished the
share of the mask key. Whoever had both kinds could open that neighbour's update,
so a site first binds itself to the frozen set, keeps that in its journal, and
refuses any other set for good; asked again for the same one it gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Self

from fednet.domain.identity import DIGEST_SIZE_BYTES, Digest, SiteId
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError, PhaseError
from fednet.privacy.masking.dealing import HeldShares
from fednet.privacy.masking.forms import HEAD_SIZE_BYTES, read_body, write_head
from fednet.privacy.masking.freezing import Frozen
from fednet.privacy.masking.shamir import SHARE_SIZE_BYTES, number_of

_FORM = "fednet-unmask/1"
_BOUND_FORM = "fednet-bound/1"
_ROW = Struct(f">IB{SHARE_SIZE_BYTES}s")
_NONE_HELD = 0
_NO_SHARE = bytes(SHARE_SIZE_BYTES)


@dataclass(frozen=True, slots=True)
class Unmasking:
    """The set that a site has bound itself to in an attempt; made by ``bind``."""

    place: Place
    site: SiteId
    view: Digest
    """Of the frozen set."""

    def to_bytes(self) -> bytes:
        """Return what the site's journal keeps, durably, before anything is disclosed."""
        return write_head(_BOUND_FORM, self.place, self.site) + self.view

    @classmethod
    def from_bytes(cls, data: bytes, place: Place, site: SiteId) -> Self:
        """Read what the journal kept.

        Raises:
            MalformedBlobError: It is of another site or place, or cut short.
        """
        size = HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES
        return cls(place, site, Digest(read_body(data, _BOUND_FORM, place, site, size)))


def disclosure_size_bytes(neighbours: int) -> int:
    """Return the size of a disclosure by a site with so many neighbours that dealt."""
    return HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES + neighbours * _ROW.size


def bind(frozen: Frozen, site: SiteId, held: Unmasking | None) -> Unmasking:
    """Bind a site to a frozen set.

    Args:
        frozen: The set, as the ledger holds it.
        site: Site.
        held: What the journal holds of this attempt; None if nothing was disclosed in it.

    Raises:
        PhaseError: The site is bound to another set.
    """
    place = frozen.dealers.circle.place
    if held is None:
        return Unmasking(place, site, frozen.view)
    if (held.place, held.site) != (place, site):
        raise ValueError("a binding of another site or attempt")
    if held.view != frozen.view:
        raise PhaseError(
            "shares were disclosed for another set already",
            subject=f"site {site}",
            expected=held.view,
            actual=frozen.view,
            hint="a second unmasking would open single updates: sit out this attempt, and find "
            "out why the ledger names another set",
        )
    return held


def disclose(unmasking: Unmasking, frozen: Frozen, shares: Mapping[SiteId, HeldShares]) -> bytes:
    """Return the shares that a site discloses.

    Args:
        unmasking: What the site is bound to; in its journal by now.
        frozen: The same set.
        shares: What the site holds, by dealer.

    Raises:
        PhaseError: The site is bound to another set.
    """
    bind(frozen, unmasking.site, unmasking)
    parts = [write_head(_FORM, unmasking.place, unmasking.site), frozen.view]
    for dealer in _dealers_around(frozen, unmasking.site):
        if held := shares.get(dealer):
            kind = frozen.kind_for(dealer)
            parts.append(_ROW.pack(dealer, kind, held.of(kind)))
        else:
            parts.append(_ROW.pack(dealer, _NONE_HELD, _NO_SHARE))
    return b"".join(parts)


def read_disclosure(frozen: Frozen, site: SiteId, data: bytes) -> dict[SiteId, bytes]:
    """Read the shares that a site disclosed, by dealer; those that it does not hold are left out.

    Raises:
        MalformedBlobError: Not this site's disclosure for this set, with one row for each of its
            neighbours and the one kind of share that may be told of it; or the site has none.
    """
    frozen.dealers.circle.require_member(site)
    dealers = _dealers_around(frozen, site)
    size = disclosure_size_bytes(len(dealers))
    body = read_body(data, _FORM, frozen.dealers.circle.place, site, size)
    subject = f"{_FORM} of site {site}"
    if body[:DIGEST_SIZE_BYTES] != frozen.view:
        raise MalformedBlobError(
            "is for another set",
            subject=subject,
            expected=frozen.view,
            actual=body[:DIGEST_SIZE_BYTES].hex(),
        )
    shares = {}
    rows = _ROW.iter_unpack(body[DIGEST_SIZE_BYTES:])
    for expected, (dealer, kind, share) in zip(dealers, rows, strict=True):
        right = frozen.kind_for(expected)
        is_none = kind == _NONE_HELD and share == _NO_SHARE
        if dealer != expected or not (is_none or kind == right):
            raise MalformedBlobError(
                "holds a row that may not stand there",
                subject=subject,
                expected=f"site {expected}, {right.name} or none",
                actual=f"site {dealer}, kind {kind}",
            )
        if not is_none:
            number_of(share, subject)
            shares[expected] = share
    return shares


def _dealers_around(frozen: Frozen, site: SiteId) -> list[SiteId]:
    dealers = frozen.dealers
    return [each for each in dealers.circle.neighbours[site] if each in dealers.holders]
