"""Which sum aggregators agree on: a majority's, the first one, and nobody else's word counts."""

from __future__ import annotations

from fednet.audit.sum_claims import SumClaims
from fednet.domain import events as ev
from fednet.domain.identity import ZERO_DIGEST, Address, Commitment, Locator, SiteId

NOBODY = Address("0x" + "00" * 20)
ONE, OTHER = Commitment(bytes([1]) * 32), Commitment(bytes([2]) * 32)


def log(block: int) -> ev.Log:
    return ev.Log(block, 0, ZERO_DIGEST, NOBODY)


def said(block: int, site: int, commitment: Commitment, at: int = 9) -> ev.LocatorAnnounced:
    return ev.LocatorAnnounced(log(block), commitment, SiteId(site), Locator(bytes([at]) * 32))


def claims(*events: ev.LocatorAnnounced) -> SumClaims:
    found = SumClaims(frozenset(map(SiteId, (5, 6, 7))), 2)
    found.extend(events)
    return found


def test_a_majority_agrees_and_one_does_not() -> None:
    found = claims(said(1, 5, ONE), said(2, 6, OTHER), said(3, 7, OTHER, at=8))

    (agreed,) = found.agreed(log(0))

    assert (agreed.commitment, agreed.since, agreed.said) == (OTHER, log(3), (6, 7))
    assert [each[0] for each in agreed.locators] == [9, 8]


def test_saying_it_twice_or_from_outside_is_no_majority() -> None:
    assert not claims(said(1, 5, ONE), said(2, 5, ONE), said(3, 1, ONE)).agreed(log(0))


def test_what_was_agreed_on_before_an_attempt_is_not_its_sum() -> None:
    found = claims(said(1, 5, ONE), said(2, 6, ONE), said(4, 5, OTHER), said(5, 7, OTHER))

    assert [each.commitment for each in found.agreed(log(3))] == [OTHER]


def test_the_first_agreement_comes_first_and_reading_again_changes_nothing() -> None:
    events = [said(1, 5, OTHER), said(2, 6, ONE), said(3, 7, ONE), said(4, 7, OTHER)]
    found = claims(*events)
    found.extend(events)

    assert [each.commitment for each in found.agreed(log(0))] == [ONE, OTHER]
    assert found.has_said(SiteId(6), ONE)
    assert not found.has_said(SiteId(6), OTHER)
