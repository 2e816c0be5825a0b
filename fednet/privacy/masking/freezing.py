"""Stage 4: which masked updates count, settled on the ledger before any share is disclosed.

Every dealer must be held by enough sites that count: then each secret that is
needed comes back, every site that counts has enough neighbours that count, and
none stands alone with colluders. Otherwise the attempt ends, with nothing unmasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.errors import QuorumError
from fednet.privacy.masking.dealers import Dealers
from fednet.privacy.masking.dealing import Kind
from fednet.privacy.masking.derivation import Part, Purpose, digest_of


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked update that is there and well formed."""

    commitment: Commitment
    weight: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """The set that is unmasked; made by ``freeze``, and never changed."""

    dealers: Dealers
    included: Mapping[SiteId, Masked]
    """What counts, by site."""
    view: Digest
    """Commits to the dealers and to every update that counts."""

    @property
    def vanished(self) -> tuple[SiteId, ...]:
        """Return the dealers whose updates do not count, ascending."""
        return tuple(site for site in self.dealers.sites if site not in self.included)

    @property
    def total_weight(self) -> int:
        """Return the sum of the weights that count."""
        return sum(entry.weight for entry in self.included.values())

    def kind_for(self, dealer: SiteId) -> Kind:
        """Return the one kind of share of a dealer that may ever be disclosed."""
        return Kind.SEED if dealer in self.included else Kind.KEY


def freeze(dealers: Dealers, included: Mapping[SiteId, Masked]) -> Frozen:
    """Settle which masked updates count.

    Args:
        dealers: Who masked.
        included: Masked updates that the members agree are there and valid, of dealers only.

    Raises:
        QuorumError: Too few count, or a dealer is held by too few of these.
        ValueError: One is not of a dealer.
    """
    if not included.keys() <= dealers.holders.keys():
        raise ValueError("only a dealer's update can count")
    if len(included) < dealers.circle.least_sites:
        raise QuorumError(
            "too few updates count",
            expected=f"at least {dealers.circle.least_sites}",
            actual=len(included),
            hint="nothing was unmasked; the attempt ends",
        )
    for dealer, holders in dealers.holders.items():
        left = len(holders & included.keys())
        if left < dealers.circle.threshold:
            raise QuorumError(
                "too few of its neighbours are left",
                subject=f"site {dealer}",
                expected=f"at least {dealers.circle.threshold}",
                actual=left,
                hint="nothing was unmasked; the attempt ends",
            )
    ordered = {site: included[site] for site in sorted(included)}
    listed: list[Part] = [
        [site, str(entry.commitment), entry.weight] for site, entry in ordered.items()
    ]
    view = digest_of(Purpose.FROZEN, dealers.circle.place, str(dealers.view), listed)
    return Frozen(dealers, ordered, view)
