"""Stage 1: every site advertises two public keys; those that did form the attempt's circle.

Keys are small enough to stand in the ledger's own log, so that all see the same
ones. The circle's digest covers every key, the seed of the graph,
degree and threshold, and everything later is bound to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fednet.domain.identity import Digest, SiteId
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError, QuorumError
from fednet.privacy.masking.derivation import Part, Purpose, digest_of
from fednet.privacy.masking.graph import neighbours_of
from fednet.privacy.masking.keys import PublicKeys
from fednet.privacy.masking.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Circle:
    """Who masks with whom in one attempt; made by ``form_circle``."""

    place: Place
    keys: Mapping[SiteId, PublicKeys]
    """Of every site that advertised, by site."""
    neighbours: Mapping[SiteId, tuple[SiteId, ...]]
    """Of each of these, ascending."""
    threshold: int
    """Shares that give a secret back."""
    least_sites: int
    """Updates that must count."""
    view: Digest
    """Commits to all of the above."""

    def require_member(self, site: SiteId) -> None:
        """Raise unless a site is in the circle.

        Raises:
            MalformedBlobError: It advertised no keys, so that nothing of it belongs here.
        """
        if site not in self.keys:
            raise MalformedBlobError("is of a site that advertised no keys", subject=f"site {site}")


def form_circle(
    place: Place, keys: Mapping[SiteId, PublicKeys], seed: Digest, parameters: Parameters
) -> Circle:
    """Join the sites that advertised.

    Args:
        place: Attempt.
        keys: Of every site whose advertisement is valid.
        seed: Hash of a block that was made after the stage was closed.
        parameters: Fitted to the cohort at the start of the attempt, whoever has vanished since.

    Raises:
        QuorumError: More vanished than the plan reckons with.
    """
    if len(keys) < parameters.least_sites:
        raise QuorumError(
            "too few sites advertised keys",
            expected=f"at least {parameters.least_sites}",
            actual=len(keys),
            hint="nothing was masked; the attempt ends",
        )
    neighbours = neighbours_of(place, keys, seed, parameters.degree)
    numbers = (parameters.degree, parameters.threshold, parameters.least_sites)
    listed: list[Part] = [
        [site, keys[site].mask.hex(), keys[site].channel.hex()] for site in sorted(keys)
    ]
    view = digest_of(Purpose.CIRCLE, place, str(seed), numbers, listed)
    ordered = {site: keys[site] for site in sorted(keys)}
    return Circle(place, ordered, neighbours, parameters.threshold, parameters.least_sites, view)
