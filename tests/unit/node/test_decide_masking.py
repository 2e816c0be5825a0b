"""Each step around a masked update: which one is next, whose turn it is, and who sits out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.codec import update_size_limit_bytes
from fednet.domain import masking_events as me
from fednet.domain.blobs import Wanted
from fednet.domain.events import Log
from fednet.domain.identity import Address, Commitment, Digest, Locator, SiteId
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.domain.masking_stages import MaskingAttempt, MaskingStage, SetHistory
from fednet.domain.plan import Plan
from fednet.node import acts
from fednet.node.decide import STAGGER_SECONDS, decide
from fednet.node.decide.masking import HOLDING_MARGIN_SECONDS
from fednet.node.places import TrainingOrder
from fednet.node.view import Masks, NodeView, Training
from tests.unit.node.views import (
    GRACE,
    REVEAL,
    RUN,
    START,
    Chain,
    attempt_key,
    commitment_of,
    make_plan,
    own,
    waits,
)

KEY = attempt_key()
ALL = frozenset(map(SiteId, (1, 2, 3)))
END = START + 40
PLAN = Plan.validated(
    make_plan().model_dump()
    | {
        "module": {"name": "masked"},
        "masking": {
            "clip": 1, "key_seconds": 20, "share_seconds": 20, "holding_seconds": 20,
            "freeze_seconds": 20,
        },
    },
    "plan",
)  # fmt: skip
LOG = Log(1, 0, Digest(bytes(32)), Address("0x"))
BLOB = (Commitment(bytes(32)), Locator(bytes(32)))


def record(**done: tuple[int, ...]) -> MaskingAttempt:
    """Say who advertised, dealt, held and disclosed."""
    at = (LOG, RUN, KEY.round)
    made = MaskingAttempt()
    for site in map(SiteId, done.get("keys", ())):
        made.keys[site] = me.KeysAdvertised(*at, site, 1, bytes(32), bytes(32))
    for site in map(SiteId, done.get("dealt", ())):
        made.dealings[site] = me.SharesDealt(*at, site, 1, *BLOB)
    for site in map(SiteId, done.get("held", ())):
        made.holdings[site] = me.SharesHeld(*at, site, 1, b"")
    for site in map(SiteId, done.get("disclosed", ())):
        made.disclosures[site] = me.SharesDisclosed(*at, site, 1, *BLOB)
    return made


def proposed(made: MaskingAttempt, *affirmed: int, inclusion: bytes = b"", number: int = 1) -> None:
    said = me.SetProposed(LOG, RUN, KEY.round, SiteId(1), 1, number, inclusion)
    made.sets[number] = SetHistory(said)
    for site in map(SiteId, affirmed):
        made.sets[number].affirmations[site] = me.SetAffirmed(LOG, RUN, KEY.round, site, 1, number)


def masks(stage: MaskingStage, made: MaskingAttempt, **known: Any) -> dict[str, Any]:
    """Give the facts of a site that knows its secrets."""
    facts: dict[str, Any] = {
        "stage": stage, "deadline": END, "record": made, "neighbours": (SiteId(2), SiteId(3)),
        "has_root": True, "is_fetching": True,
    }  # fmt: skip
    return {"masks": {KEY: Masks(**(facts | known))}}


def collecting(site: int = 1, after: int = 0, **facts: Any) -> NodeView:
    return Chain(plan=PLAN).start().view(site, after=after, **facts)


def test_site_advertises_its_keys_first() -> None:
    facts = masks(MaskingStage.KEYS, record(), has_root=False)
    assert decide(collecting(**facts)) == acts.Advertise(KEY)


def test_site_that_must_not_train_advertises_nothing() -> None:
    facts = masks(MaskingStage.KEYS, record())
    assert "policy" in waits(collecting(obstacle="the policy says no", **facts))


def test_site_whose_secrets_are_lost_sits_out() -> None:
    facts = masks(MaskingStage.KEYS, record(keys=(1,)), has_root=False)
    assert "lost its secrets" in waits(collecting(**facts))


def test_keys_are_closed_by_the_nearest_in_rank_once_all_are_there() -> None:
    facts = masks(MaskingStage.KEYS, record(keys=(1, 2, 3)))
    # The position that is last in rank is that of site 1: (0 + 1 + 1) % 3.
    assert "another closes" in waits(collecting(1, **facts))
    assert decide(collecting(1, after=2 * STAGGER_SECONDS, **facts)) == acts.CloseKeys(KEY)
    assert decide(collecting(2, **facts)) == acts.CloseKeys(KEY)


def test_keys_are_waited_for_until_their_deadline() -> None:
    facts = masks(MaskingStage.KEYS, record(keys=(1, 2)))
    assert "others advertise" in waits(collecting(2, after=END - START, **facts))
    assert decide(collecting(2, after=END - START + 1, **facts)) == acts.CloseKeys(KEY)


def test_site_deals_fetches_and_trains_meanwhile() -> None:
    keys = record(keys=(1, 2, 3))
    assert decide(collecting(**masks(MaskingStage.SHARES, keys))) == acts.Deal(KEY)
    dealt = record(keys=(1, 2, 3), dealt=(1, 2))
    idle = masks(MaskingStage.SHARES, dealt, is_fetching=False)
    assert decide(collecting(**idle)) == acts.FetchShares(KEY)
    facts = masks(MaskingStage.SHARES, dealt)
    assert decide(collecting(**facts)) == acts.Train(KEY)
    base = Commitment(PLAN.model.commitment)
    over = Training(TrainingOrder(KEY, base), is_over=True)
    assert "deal shares" in waits(collecting(training=over, **facts))


def test_site_without_keys_of_its_own_deals_nothing() -> None:
    facts = masks(MaskingStage.SHARES, record(keys=(2, 3)), neighbours=None)
    assert "no keys" in waits(collecting(**facts))


def test_site_says_what_it_holds_once_all_is_here_or_time_is_nearly_up() -> None:
    dealt = record(keys=(1, 2, 3), dealt=(1, 2, 3))
    training = Training(TrainingOrder(KEY, Commitment(PLAN.model.commitment)))
    some = masks(MaskingStage.HOLDINGS, dealt, dealt=frozenset({SiteId(2)})) | {
        "training": training
    }
    assert "fetching the shares" in waits(collecting(**some))
    nearly = END - START - HOLDING_MARGIN_SECONDS
    assert decide(collecting(after=nearly, **some)) == acts.Hold(KEY)
    every = masks(MaskingStage.HOLDINGS, dealt, dealt=ALL)
    assert decide(collecting(**every)) == acts.Hold(KEY)
    held = record(keys=(1, 2, 3), dealt=(1, 2, 3), held=(1,))
    facts = masks(MaskingStage.HOLDINGS, held, dealt=ALL) | {"training": training}
    assert "others say" in waits(collecting(**facts))


def test_update_is_masked_only_once_it_is_settled_who_masks() -> None:
    held = record(keys=(1, 2, 3), dealt=(1, 2, 3), held=(1, 2, 3))
    over = {"training": Training(TrainingOrder(KEY, Commitment(PLAN.model.commitment)), True)}
    assert "lags" in waits(collecting(**masks(MaskingStage.MASKED, held), **over))
    settled = masks(MaskingStage.MASKED, held, dealers=ALL)
    assert decide(collecting(**settled, **over)) == acts.Wrap(KEY)
    outside = masks(MaskingStage.MASKED, held, dealers=ALL - {SiteId(1)})
    assert "hold this site's shares" in waits(collecting(**outside, **over))
    silent = record(keys=(1, 2, 3), dealt=(1, 2, 3), held=(2, 3))
    late = masks(MaskingStage.MASKED, silent, dealers=ALL)
    assert "others mask" in waits(collecting(**late, **over))


@pytest.mark.parametrize("stage", [MaskingStage.NONE, MaskingStage.FREEZING])
def test_log_that_lags_decides_nothing(stage: MaskingStage) -> None:
    assert "lags" in waits(collecting(**masks(stage, record())))
    assert "lags" in waits(collecting())


def test_attempt_in_which_nothing_can_be_masked_is_waited_out() -> None:
    facts = masks(MaskingStage.SHARES, record(keys=(1,)), trouble="too few sites")
    assert "too few sites" in waits(collecting(**facts))


# The set


HELD = {"keys": (1, 2, 3), "dealt": (1, 2, 3), "held": (1, 2, 3)}


def proposing(
    site: int = 1, after: int = 0, held: tuple[int, ...] = (2, 3), **facts: Any
) -> NodeView:
    chain = Chain(plan=PLAN).start().submit(1, 2, 3).close()
    others = tuple(each for each in (1, 2, 3) if each != site and each in (*held, 1))
    return chain.view(site, after=after, held=others, **(own(site) | facts))


def freezing(made: MaskingAttempt, **known: Any) -> dict[str, Any]:
    return masks(MaskingStage.FREEZING, made, dealers=ALL, **({"deadline": START + 900} | known))


def test_set_is_proposed_in_turn() -> None:
    # Of set 1 in round 1 and attempt 1 the turn is that of position 0.
    facts = freezing(record(**HELD))
    assert decide(proposing(1, **facts)) == acts.ProposeSet(KEY, 1, frozenset())
    assert "another's turn" in waits(proposing(2, **facts))
    opens = REVEAL + GRACE
    assert decide(proposing(2, after=opens, **facts)) == acts.ProposeSet(KEY, 1, frozenset())


def test_set_waits_for_updates_that_are_under_way_and_then_leaves_them_out() -> None:
    facts = freezing(record(**HELD)) | {"fetching": fetching_of(3)}
    assert "under way" in waits(proposing(1, held=(2,), **facts))
    late = proposing(1, after=REVEAL + GRACE // 2, held=(2,), **facts)
    assert decide(late) == acts.ProposeSet(KEY, 1, frozenset({SiteId(3)}))


def test_set_waits_for_as_many_updates_as_must_count() -> None:
    facts = freezing(record(**HELD), least_updates=3) | {"fetching": fetching_of(3)}
    after = REVEAL + GRACE
    assert "too few" in waits(proposing(1, after=after, held=(2,), **facts))
    assert decide(proposing(1, after=after, **facts)) == acts.ProposeSet(KEY, 1, frozenset())


def fetching_of(site: int) -> set[Wanted]:
    blob = commitment_of(site)
    return {Wanted(blob, Locator(bytes(blob)), update_size_limit_bytes(PLAN))}


def test_set_is_affirmed_once() -> None:
    made = record(**HELD)
    proposed(made, 2)
    assert decide(proposing(1, **freezing(made))) == acts.AffirmSet(KEY, 1, frozenset())
    assert "others affirm" in waits(proposing(2, held=(3,), **freezing(made)))


def test_set_that_is_not_what_the_bytes_say_is_not_affirmed() -> None:
    made = record(**HELD)
    proposed(made)
    refused = freezing(made, refused=frozenset({1}))
    assert "not what" in waits(proposing(1, **refused))
    malformed = record(**HELD)
    proposed(malformed, inclusion=b"\x01")
    assert "not what" in waits(proposing(1, **freezing(malformed)))


def test_absence_is_contradicted_in_the_first_set_only() -> None:
    inclusion = pack_inclusion({2: Inclusion.UNAVAILABLE})
    first, second = record(**HELD), record(**HELD)
    proposed(first, inclusion=inclusion)
    # This site has the bytes that are called unavailable: it judges the set with them.
    assert decide(proposing(1, **freezing(first))) == acts.AffirmSet(KEY, 1, frozenset())
    proposed(second)
    proposed(second, inclusion=inclusion, number=2)
    expected = acts.AffirmSet(KEY, 2, frozenset({SiteId(3)}))
    assert decide(proposing(1, **freezing(second))) == expected


def test_another_set_follows_when_the_first_found_no_quorum() -> None:
    made = record(**HELD)
    proposed(made, 1)
    facts = freezing(made, deadline=START + 10)
    # Of set 2 the turn is that of position 1.
    assert decide(proposing(2, after=11, **facts)) == acts.ProposeSet(KEY, 2, frozenset())
    assert "another's turn" in waits(proposing(1, after=11, **facts))


def frozen(**done: tuple[int, ...]) -> MaskingAttempt:
    made = record(**(HELD | done))
    proposed(made, 1, 2)
    made.frozen = me.SetFrozen(LOG, RUN, KEY.round, 1, 1)
    return made


def unmasking(made: MaskingAttempt, **known: Any) -> dict[str, Any]:
    return masks(MaskingStage.UNMASKING, made, dealers=ALL, **({"dealt": ALL} | known))


def test_shares_are_disclosed_for_the_frozen_set() -> None:
    assert decide(proposing(1, **unmasking(frozen()))) == acts.Disclose(KEY)
    lost = unmasking(frozen(), has_root=False)
    assert "unmask the sum" in waits(proposing(1, **lost))


def test_shares_are_fetched_before_they_are_disclosed() -> None:
    idle = unmasking(frozen(), dealt=frozenset(), is_fetching=False)
    assert decide(proposing(1, **idle)) == acts.FetchShares(KEY)
    coming = unmasking(frozen(), dealt=frozenset())
    assert "neighbours dealt" in waits(proposing(1, **coming))
    assert decide(proposing(1, after=STAGGER_SECONDS, **coming)) == acts.Disclose(KEY)


def test_sum_is_proposed_once_every_secret_can_be_given_back() -> None:
    made = frozen(disclosed=(1,))
    assert "unmask the sum" in waits(proposing(1, **unmasking(made)))
    whole = unmasking(made, is_whole=True)
    assert decide(proposing(1, **whole)) == acts.Propose(KEY.proposal(1), frozenset())


def test_proposal_leaves_out_what_the_frozen_set_does() -> None:
    made = frozen(disclosed=(1,))
    said = replace(made.sets[1].proposed, inclusion=pack_inclusion({2: Inclusion.UNAVAILABLE}))
    made.sets[1] = SetHistory(said)
    whole = unmasking(made, is_whole=True)
    expected = acts.Propose(KEY.proposal(1), frozenset({SiteId(3)}))
    # Also where the bytes have come since.
    assert decide(proposing(1, **whole)) == expected


def test_proposal_waits_for_bytes_that_the_frozen_set_counts() -> None:
    whole = unmasking(frozen(disclosed=(1,)), is_whole=True) | {"fetching": fetching_of(3)}
    assert "frozen set counts" in waits(proposing(1, held=(2,), **whole))


def test_member_recomputes_once_shares_are_here() -> None:
    chain = Chain(plan=PLAN).start().submit(1, 2, 3).close().propose(1)
    made = frozen(disclosed=(1, 2, 3))

    def view(**known: Any) -> NodeView:
        return chain.view(2, held=(1, 3), **(own(2) | unmasking(made, **known)))

    assert decide(view(is_fetching=False)) == acts.FetchShares(KEY)
    assert "unmask" in waits(view())
    assert decide(view(is_whole=True)) == acts.Recompute(KEY.proposal(1), frozenset())
    # Where nothing can be unmasked, recomputing says so, and the member objects.
    assert decide(view(trouble="a dealer lied")) == acts.Recompute(KEY.proposal(1), frozenset())
