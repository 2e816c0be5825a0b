"""Who is whose neighbour: a ring of the sites in an order that a public seed draws.

Everybody is the neighbour of the nearest on either side (a Harary graph, as in
Bell et al., 2020, section 3), or of everybody in a small cohort. The seed is the
hash of a block that is made once keys are fixed, so nobody chooses it: whoever
could draw again might surround a site with its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from fednet.domain.identity import Digest, SiteId
from fednet.domain.update import Place
from fednet.privacy.masking.derivation import Purpose, digest_of

_SITE_SIZE_BYTES = 4


def ring_of(place: Place, sites: Iterable[SiteId], seed: Digest) -> list[SiteId]:
    """Return sites in the order that a seed draws; the last is next to the first."""
    key = digest_of(Purpose.NEIGHBOURS, place, str(seed))

    def rank(site: SiteId) -> bytes:
        number = site.to_bytes(_SITE_SIZE_BYTES)
        return hashlib.sha256(key + number).digest() + number

    return sorted(sites, key=rank)


def neighbours_of(
    place: Place, sites: Iterable[SiteId], seed: Digest, degree: int
) -> Mapping[SiteId, tuple[SiteId, ...]]:
    """Return the neighbours of each site, ascending.

    Args:
        place: Attempt that the graph is for.
        sites: At least one.
        seed: Hash of a block.
        degree: Even, unless it is at least the number of other sites.
    """
    ring = ring_of(place, sites, seed)
    if degree >= len(ring) - 1:
        return {site: tuple(sorted(set(ring) - {site})) for site in sorted(ring)}
    half = degree // 2
    found = {}
    for at, site in enumerate(ring):
        near = {ring[(at + step) % len(ring)] for step in range(-half, half + 1)}
        found[site] = tuple(sorted(near - {site}))
    return {site: found[site] for site in sorted(found)}
