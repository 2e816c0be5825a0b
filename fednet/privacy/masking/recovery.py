"""The secrets that disclosed shares give back, and who disclosed or dealt a wrong one.

A share counts if it hashes to what its dealer committed to; any threshold's
number of them gives the secret. From the secret the whole dealing is made again
and compared: if it differs anywhere, or its mask key is not the one advertised,
the dealer lied and its secret is no one's to use. So the outcome does not depend
on which of the right shares came, only on there being enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from fednet.domain.identity import SiteId
from fednet.errors import AggregationError, MalformedBlobError, QuorumError
from fednet.privacy.masking.circle import Circle
from fednet.privacy.masking.dealing import Dealing, Kind, share_commitment, share_out
from fednet.privacy.masking.freezing import Frozen
from fednet.privacy.masking.keys import public_of
from fednet.privacy.masking.shamir import Share, join
from fednet.privacy.masking.unmasking import read_disclosure


class Wrong(Enum):
    """What a site did wrong, as the published bytes prove."""

    DISCLOSURE = "disclosed what is no disclosure for the frozen set"
    SHARE = "disclosed a share that is not the one that was dealt to it"
    DEALING = "dealt shares that are not those of one secret, or not of the key it advertised"


@dataclass(frozen=True, slots=True)
class Fault:
    """A lie, by its author."""

    site: SiteId
    wrong: Wrong
    dealer: SiteId | None = None
    """Whose share it is about."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an attempt's disclosures give; made by ``recover``."""

    secrets: Mapping[SiteId, bytes] = field(repr=False)
    """The seed of each site that counts, the private mask key of each that vanished."""
    faults: tuple[Fault, ...]
    missing: Mapping[SiteId, int]
    """Right shares there are, of dealers of which there are too few."""
    withheld: tuple[tuple[SiteId, SiteId], ...]
    """Holder and dealer, where a share said to be held was not disclosed; no lie is proved."""

    def require_complete(self, threshold: int) -> None:
        """Raise unless every secret that is needed is there.

        Raises:
            AggregationError: A dealer lied about what it dealt.
            QuorumError: Too few shares of a dealer were disclosed.
        """
        for fault in self.faults:
            if fault.wrong is Wrong.DEALING:
                raise AggregationError(
                    fault.wrong.value,
                    subject=f"site {fault.site}",
                    hint="the attempt cannot be unmasked; the published bytes prove who lied",
                )
        for dealer, count in self.missing.items():
            raise QuorumError(
                "too few shares were disclosed",
                subject=f"site {dealer}",
                expected=f"at least {threshold}",
                actual=count,
                hint="wait for more members to disclose theirs, until the deadline",
            )


def recover(
    frozen: Frozen,
    dealings: Mapping[SiteId, Dealing],
    disclosures: Mapping[SiteId, bytes],
) -> Recovery:
    """Give back every secret that the disclosed shares allow.

    Args:
        frozen: The set.
        dealings: Of every dealer whose bytes are there and well formed.
        disclosures: Complete bytes by site.
    """
    circle = frozen.dealers.circle
    faults: list[Fault] = []
    disclosed: dict[SiteId, dict[SiteId, bytes]] = {}
    for site in sorted(disclosures):
        try:
            disclosed[site] = read_disclosure(frozen, site, disclosures[site])
        except MalformedBlobError as exc:
            faults.append(Fault(site, Wrong.DISCLOSURE, reason=str(exc)))
    secrets: dict[SiteId, bytes] = {}
    missing: dict[SiteId, int] = {}
    withheld: list[tuple[SiteId, SiteId]] = []
    for dealer, holders in frozen.dealers.holders.items():
        kind, dealing = frozen.kind_for(dealer), dealings.get(dealer)
        if dealing is None:
            missing[dealer] = 0
            continue
        shares: list[Share] = []
        for site in circle.neighbours[dealer]:
            value = disclosed.get(site, {}).get(dealer)
            if value is None:
                withheld += [(site, dealer)] if site in holders else []
            elif _is_dealt(circle, dealing, site, kind, value):
                shares.append(Share(site, value))
            else:
                faults.append(Fault(site, Wrong.SHARE, dealer))
        if len(shares) < circle.threshold:
            missing[dealer] = len(shares)
            continue
        secret = join(shares, circle.threshold)
        if _is_whole(circle, dealing, kind, secret):
            secrets[dealer] = secret
        else:
            faults.append(Fault(dealer, Wrong.DEALING, dealer))
    return Recovery(secrets, tuple(faults), missing, tuple(withheld))


def _is_dealt(circle: Circle, dealing: Dealing, site: SiteId, kind: Kind, value: bytes) -> bool:
    actual = share_commitment(circle, dealing.dealer, site, kind, value)
    return actual == dealing.rows[site].commitment(kind)


def _is_whole(circle: Circle, dealing: Dealing, kind: Kind, secret: bytes) -> bool:
    """Tell whether a secret is what its dealer promised, and all shares are its own."""
    if kind is Kind.KEY and public_of(secret) != circle.keys[dealing.dealer].mask:
        return False
    shares = share_out(circle, dealing.dealer, kind, secret)
    return all(_is_dealt(circle, dealing, site, kind, value) for site, value in shares.items())
