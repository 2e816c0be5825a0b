"""Stage 2 closed: the dealers of an attempt, whose secrets enough neighbours could give back.

Each site says in a few bytes on the ledger whose shares it holds. A dealer that
sent rubbish, or whose blob nobody serves, is left out before anybody masks with
it; otherwise its absence could not be made good later and would cost the attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.errors import MalformedBlobError, QuorumError
from fednet.privacy.masking.circle import Circle
from fednet.privacy.masking.derivation import Part, Purpose, digest_of


@dataclass(frozen=True, slots=True)
class Dealers:
    """The sites that mask in an attempt; made by ``close_dealing``."""

    circle: Circle
    neighbours: Mapping[SiteId, tuple[SiteId, ...]]
    """Of each dealer, those that are dealers themselves."""
    holders: Mapping[SiteId, frozenset[SiteId]]
    """Of each dealer, the neighbours that hold its shares, dealers or not."""
    view: Digest
    """Commits to the circle, to the dealers and to what they dealt."""

    @property
    def sites(self) -> tuple[SiteId, ...]:
        """Return the dealers, ascending."""
        return tuple(self.neighbours)


def close_dealing(
    circle: Circle,
    dealings: Mapping[SiteId, Commitment],
    holdings: Mapping[SiteId, frozenset[SiteId]],
) -> Dealers:
    """Settle who masks.

    Args:
        circle: Who advertised.
        dealings: Commitments to the dealings, as the ledger holds them; of sites that advertised
            no keys they do not count.
        holdings: Whose shares each site says it holds; neighbours only.

    Raises:
        QuorumError: A dealer has too few neighbours that deal, too.
    """
    holders = {
        dealer: frozenset(
            site for site in circle.neighbours[dealer] if dealer in holdings.get(site, frozenset())
        )
        for dealer in sorted(dealings.keys() & circle.keys.keys())
    }
    sites = [dealer for dealer in holders if len(holders[dealer]) >= circle.threshold]
    chosen = frozenset(sites)
    neighbours = {
        dealer: tuple(site for site in circle.neighbours[dealer] if site in chosen)
        for dealer in sites
    }
    fewest = min(map(len, neighbours.values()), default=0)
    if fewest < circle.threshold:
        raise QuorumError(
            "too few sites dealt shares that their neighbours hold",
            expected=f"at least {circle.threshold} neighbours of each",
            actual=fewest,
            hint="nothing was masked; the attempt ends",
        )
    listed: list[Part] = [[dealer, str(dealings[dealer])] for dealer in sites]
    view = digest_of(Purpose.DEALERS, circle.place, str(circle.view), listed)
    return Dealers(circle, neighbours, {dealer: holders[dealer] for dealer in sites}, view)


def pack_holding(circle: Circle, site: SiteId, held: Iterable[SiteId]) -> bytes:
    """Write whose shares a site holds: a bit for each neighbour, ascending, lowest bits first.

    Raises:
        ValueError: One is no neighbour.
    """
    neighbours = circle.neighbours[site]
    bits = sum(1 << neighbours.index(dealer) for dealer in set(held))
    return bits.to_bytes(_holding_size_bytes(neighbours), "little")


def unpack_holding(circle: Circle, site: SiteId, data: bytes) -> frozenset[SiteId]:
    """Read whose shares a site says it holds.

    Raises:
        MalformedBlobError: Of another size, with a bit that is nobody's, or of a stranger.
    """
    circle.require_member(site)
    neighbours, subject = circle.neighbours[site], f"holding of site {site}"
    size, bits = _holding_size_bytes(neighbours), int.from_bytes(data, "little")
    if len(data) != size or bits >> len(neighbours):
        raise MalformedBlobError(
            "is not a bit for each neighbour",
            subject=subject,
            expected=f"{size} bytes",
            actual=data[: size + 1].hex(),
        )
    return frozenset(dealer for at, dealer in enumerate(neighbours) if bits >> at & 1)


def _holding_size_bytes(neighbours: tuple[SiteId, ...]) -> int:
    return (len(neighbours) + 7) // 8
