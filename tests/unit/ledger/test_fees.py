"""Offers for gas."""

from __future__ import annotations

from fednet.ledger.fees import GWEI, FeeCaps, Offer

CAPS = FeeCaps(total_wei=100 * GWEI)


def test_raised_offer_beats_a_pool_s_threshold_within_the_cap() -> None:
    offer = Offer(tip_wei=8, maximum_wei=80, base_fee=True)
    raised = offer.raised(CAPS)
    assert (raised.tip_wei, raised.maximum_wei) == (11, 101)
    assert Offer(1, 100 * GWEI, True).raised(CAPS).maximum_wei == 100 * GWEI
    assert Offer(0, 0, True).raised(CAPS) == Offer(1, 1, True)


def test_fields_are_those_of_the_transaction_s_type() -> None:
    assert Offer(1, 2, True).fields() == {
        "type": 2, "maxFeePerGas": 2, "maxPriorityFeePerGas": 1,
    }  # fmt: skip
    assert Offer(2, 2, False).fields() == {"gasPrice": 2}
