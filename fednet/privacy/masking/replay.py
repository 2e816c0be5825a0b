"""What the ledger says of a masked attempt, folded into who masks with whom and what is summed.

A site and an auditor call the same three functions in the same order, with what
stands on the ledger: they cannot disagree about the company that a masked update
was made in, nor about the set that its sum is of. What a site put on the ledger
and cannot stand there counts as nothing: a key that keeps no secret, a holding
that is no bit for each neighbour.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fednet.domain.blobs import Wanted
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Digest, SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.domain.masking_events import KeysAdvertised
from fednet.domain.masking_stages import MaskingAttempt
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError, QuorumError, VerificationError
from fednet.privacy.masking.agreement import Agreement
from fednet.privacy.masking.circle import Circle, form_circle
from fednet.privacy.masking.dealers import Dealers, close_dealing, unpack_holding
from fednet.privacy.masking.dealing import Dealing, dealing_size_bytes, read_dealing
from fednet.privacy.masking.freezing import Frozen, Masked, freeze
from fednet.privacy.masking.keys import PublicKeys, require_usable
from fednet.privacy.masking.unmasking import disclosure_size_bytes


def circle_of(place: Place, attempt: MaskingAttempt, seed: Digest, agreement: Agreement) -> Circle:
    """Join the sites whose keys stand on the ledger.

    Args:
        place: The attempt.
        attempt: What was done in it; no key is taken any more.
        seed: Hash of the block in which the keys were closed.
        agreement: Fitted to the attempt's frozen cohort.

    Raises:
        QuorumError: More vanished than the plan reckons with.
    """
    keys = {site: found for site, said in attempt.keys.items() if (found := usable_keys(said))}
    return form_circle(place, keys, seed, agreement.parameters)


def usable_keys(advertised: KeysAdvertised) -> PublicKeys | None:
    """Return a site's keys; None if one of them would keep no secret."""
    keys = PublicKeys(advertised.mask_key, advertised.channel_key)
    try:
        for key in (keys.mask, keys.channel):
            require_usable(key, f"site {advertised.site}")
    except VerificationError:
        return None
    return keys


def dealers_of(circle: Circle, attempt: MaskingAttempt) -> Dealers:
    """Settle who masks, once nobody may say any more what it holds.

    Raises:
        QuorumError: A dealer has too few neighbours that deal, too.
    """
    dealings = {site: said.commitment for site, said in attempt.dealings.items()}
    holdings = {}
    for site, said in attempt.holdings.items():
        try:
            holdings[site] = unpack_holding(circle, site, said.holding)
        except MalformedBlobError:
            holdings[site] = frozenset()
    return close_dealing(circle, dealings, holdings)


def included_in(
    inclusion: bytes,
    submissions: Mapping[SiteId, UpdateSubmitted],
    positions: Mapping[SiteId, int],
) -> dict[SiteId, Masked] | None:
    """Read which masked updates a proposed set counts; None if its bytes fit no set.

    Args:
        inclusion: As proposed.
        submissions: Of the attempt, complete.
        positions: Roster positions, by site; of everybody who submitted.
    """
    by_position = {positions[site]: site for site in submissions}
    verdicts = unpack_inclusion(inclusion, by_position)
    if verdicts is None:
        return None
    counted = [by_position[at] for at, said in verdicts.items() if said is Inclusion.INCLUDED]
    return {
        site: Masked(submissions[site].commitment, submissions[site].weight) for site in counted
    }


def frozen_of(dealers: Dealers, agreement: Agreement, included: Mapping[SiteId, Masked]) -> Frozen:
    """Settle the set that is unmasked, from the one that the ledger names or will.

    Raises:
        QuorumError: Too few count, or a dealer is held by too few of these.
        VerificationError: One that counts has not dealt.
    """
    if strangers := sorted(included.keys() - dealers.holders.keys()):
        raise VerificationError(
            "a set counts the update of a site whose secrets nobody could give back",
            subject=", ".join(f"site {site}" for site in strangers),
        )
    if len(included) < agreement.least_updates:
        raise QuorumError(
            "too few updates count",
            expected=f"at least {agreement.least_updates}",
            actual=len(included),
            hint="nothing was unmasked; the attempt ends",
        )
    return freeze(dealers, included)


def read_dealings(
    dealers: Dealers, blobs: Mapping[SiteId, bytes]
) -> tuple[dict[SiteId, Dealing], dict[SiteId, MalformedBlobError]]:
    """Read what the dealers published, as far as it is there; and why some of it says nothing.

    Args:
        dealers: Who masked.
        blobs: Complete bytes that hash to what the ledger names, by dealer.
    """
    read: dict[SiteId, Dealing] = {}
    malformed: dict[SiteId, MalformedBlobError] = {}
    for dealer in dealers.sites:
        if dealer not in blobs:
            continue
        try:
            read[dealer] = read_dealing(dealers.circle, dealer, blobs[dealer])
        except MalformedBlobError as exc:
            malformed[dealer] = exc
    return read, malformed


def awaited_disclosures(frozen: Frozen, disclosed: Collection[SiteId]) -> int:
    """Count the disclosures that are missing until every secret can be given back.

    Args:
        frozen: The set.
        disclosed: Sites that disclosed.
    """
    dealers = frozen.dealers
    there = [len(holders & set(disclosed)) for holders in dealers.holders.values()]
    return max(0, dealers.circle.threshold - min(there))


def share_blobs(
    record: MaskingAttempt, cohort: int
) -> tuple[dict[SiteId, Wanted], dict[SiteId, Wanted]]:
    """Name the blobs of an attempt's shares, as dealt and as disclosed, by site."""
    dealt, disclosed = dealing_size_bytes(cohort), disclosure_size_bytes(cohort)
    return (
        {
            site: Wanted(said.commitment, said.locator, dealt)
            for site, said in record.dealings.items()
        },
        {
            site: Wanted(said.commitment, said.locator, disclosed)
            for site, said in record.disclosures.items()
        },
    )
