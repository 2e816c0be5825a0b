"""Who hands in whose update, who votes and who carries, in a run of the batched module."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fednet.codec import Reason
from fednet.domain.batch_events import AttestationsBatched, UpdatesBatched
from fednet.domain.batches import pack_positions, pack_rows, pack_vote, sheet_size_bytes
from fednet.domain.blobs import Wanted
from fednet.domain.identity import Commitment, Digest, Locator, SiteId
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.view import Carriage, NodeFacts, Vote
from tests.unit.node.views import PLAN, START, Chain, attempt_key, commitment_of, pledge_of
from tests.unit.node.views import proposal_key as key_of

PATIENCE, STAGGER = 40, 2
BATCHED = PLAN.model_copy(
    update={
        "module": PLAN.module.model_copy(
            update={"name": "batched", "committee_sites": 2, "batch_seconds": PATIENCE}
        )
    }
)
KEY = attempt_key()
"""Round 1, attempt 1: position 2, which is site 3, has the turn to batch."""
SHEET = Commitment.of(b"sheet")


def chain() -> Chain:
    return Chain(plan=BATCHED).start()


def batched(held: Chain, *sites: int, forged: int = 0, sender: int = 3) -> Chain:
    """Log a batch; one row of it may name another commitment than its site's."""
    entries = {
        site - 1: (Commitment.of(b"rubbish") if site == forged else commitment_of(site), 10)
        for site in sites
    }
    held.add(
        UpdatesBatched, KEY.round, SiteId(sender), 1, SHEET, Locator(SHEET),
        pack_positions(entries), pack_rows(entries),
    )  # fmt: skip
    return held


def facts(site: int, **carriage: object) -> NodeFacts:
    held: Carriage = replace(Carriage(is_open=True), **carriage)  # type: ignore[arg-type]
    return NodeFacts(pledges={KEY: pledge_of(site)}, carriage=held)


def choose(held: Chain, site: int, known: NodeFacts, later: int = 0) -> acts.Act:
    return decide(replace(held.view(site, after=later), facts=known))


def test_a_site_hands_its_update_to_others_and_again_after_a_while() -> None:
    assert choose(chain(), 1, facts(1)) == acts.HandIn(KEY)
    handed = facts(1, handed={KEY: START})
    assert isinstance(choose(chain(), 1, handed, 2), acts.Wait)
    assert choose(chain(), 1, handed, 3) == acts.HandIn(KEY)


def test_a_site_submits_by_itself_where_no_message_can_be_had_or_no_batch_comes() -> None:
    assert choose(chain(), 1, facts(1, is_open=False)) == acts.Submit(KEY)
    handed = facts(1, handed={KEY: START + PATIENCE + 3 * STAGGER - 1})
    assert isinstance(choose(chain(), 1, handed, PATIENCE + 3 * STAGGER - 1), acts.Wait)
    assert choose(chain(), 1, handed, PATIENCE + 3 * STAGGER) == acts.Submit(KEY)


@pytest.mark.parametrize(
    ("site", "here", "later", "expected"),
    [
        (3, (1, 2, 3), 0, (1, 2, 3)),  # its turn, and everybody's update is there
        (3, (1, 3), 0, None),  # one is awaited
        (3, (1, 3), PATIENCE, (1, 3)),  # time is up
        (1, (1, 2, 3), 0, None),  # another's turn
        (1, (1, 2, 3), PATIENCE + STAGGER, (1, 2, 3)),  # who had the turn did nothing
        (2, (2,), PATIENCE + STAGGER, None),  # two are before it
        (3, (), PATIENCE, None),  # nothing came
    ],
)
def test_whose_turn_it_is_hands_in_what_is_there(
    site: int, here: tuple[int, ...], later: int, expected: tuple[int, ...] | None
) -> None:
    sites = tuple(map(SiteId, here))
    act = choose(chain(), site, facts(site, updates=sites, handed={KEY: START + later}), later)
    assert act == acts.Batch(KEY, sites) if expected else isinstance(act, acts.Wait)


def test_after_a_failed_attempt_one_site_only_hands_in() -> None:
    key = attempt_key(1, 2)
    held = chain().start(1, 2)
    known = NodeFacts(
        pledges={key: pledge_of(2, 1, 2)},
        carriage=Carriage(
            is_open=True, updates=(SiteId(2),), handed={key: START + PATIENCE + STAGGER}
        ),
    )
    assert choose(held, 2, known, PATIENCE + STAGGER) == acts.Submit(key)


def test_a_batch_that_the_chain_refused_is_not_sent_again() -> None:
    sites = tuple(map(SiteId, (1, 2, 3)))
    known = facts(3, updates=sites, handed={KEY: START}, refused={KEY})
    assert isinstance(choose(chain(), 3, known), acts.Wait)


def test_who_is_left_out_of_a_batch_submits_at_once() -> None:
    held = batched(chain(), 2, 3)
    assert choose(held, 1, facts(1)) == acts.Submit(KEY)
    assert isinstance(choose(batched(chain(), 1, 2), 1, facts(1)), acts.Fetch | acts.Wait)


def test_a_row_that_the_journal_knows_nothing_of_is_looked_up_before_anything_else() -> None:
    held = batched(chain(), 1, 2)
    unknown = NodeFacts(carriage=Carriage(is_open=True))
    assert choose(held, 1, unknown) == acts.Fetch(KEY, (SiteId(1),))
    under_way = replace(unknown, fetching={Wanted(SHEET, Locator(SHEET), sheet_size_bytes(2))})
    assert isinstance(choose(held, 1, under_way), acts.Wait)
    forged = replace(unknown, carriage=Carriage(True, rows={KEY: {SiteId(1): Reason.UNSIGNED}}))
    assert choose(held, 1, forged) == acts.Train(KEY)
    signed = replace(unknown, carriage=Carriage(True, rows={KEY: {SiteId(1): Locator(SHEET)}}))
    assert isinstance(choose(held, 1, signed), acts.Wait)


@pytest.mark.parametrize("rows", [{}, {KEY: {SiteId(1): Reason.UNSIGNED}}])
def test_in_whose_name_a_row_was_forged_submits_by_itself(rows: dict[object, object]) -> None:
    held = batched(chain(), 1, 2, forged=1)
    assert choose(held, 1, facts(1, rows=rows)) == acts.Submit(KEY)


def test_a_right_row_under_a_bad_signature_is_replaced() -> None:
    refused = {KEY: {SiteId(1): Reason.UNSIGNED}}
    assert choose(batched(chain(), 1, 2), 1, facts(1, rows=refused)) == acts.Submit(KEY)


def test_who_signed_another_update_and_forgot_sits_the_attempt_out() -> None:
    own = {KEY: {SiteId(1): Locator(SHEET)}}
    act = choose(batched(chain(), 1, 2, forged=1), 1, facts(1, rows=own))
    assert isinstance(act, acts.Wait)
    assert "sitting this attempt out" in act.reason
    blank = NodeFacts(carriage=Carriage(is_open=True, rows=own))  # type: ignore[arg-type]
    assert isinstance(choose(batched(chain(), 1, 2), 1, blank), acts.Wait)


def attesting(*voted: int) -> Chain:
    held = batched(chain(), 1, 2, 3)
    held.close().propose(3)
    if voted:
        votes = b"".join(pack_vote(SiteId(site), Digest(bytes(32)), bytes(65)) for site in voted)
        held.add(AttestationsBatched, KEY.round, 1, 1, votes)
    return held


def voting(site: int, agrees: bool = True, **carriage: object) -> NodeFacts:
    """Know everything about a proposal, and what to say of it."""
    digest = Digest(Commitment.of(b"vote"))
    held: Carriage = replace(
        Carriage(
            is_open=True,
            committee=(SiteId(2), SiteId(1)),
            rows={KEY: {SiteId(each): Locator(SHEET) for each in (1, 2, 3)}},
        ),
        **carriage,  # type: ignore[arg-type]
    )
    return NodeFacts(
        pledges={KEY: pledge_of(site)},
        published={KEY},
        votes={key_of(): Vote(agrees, digest)},
        held={commitment_of(each) for each in (1, 2, 3)},
        carriage=held,
    )


def test_a_member_of_the_committee_signs_and_others_are_silent() -> None:
    witness = Digest(Commitment.of(b"vote"))
    assert choose(attesting(), 1, voting(1)) == acts.Voice(key_of(), witness)
    assert isinstance(choose(attesting(), 3, voting(3)), acts.Wait)
    assert isinstance(choose(attesting(), 3, voting(3, agrees=False)), acts.Wait)
    assert isinstance(choose(attesting(), 1, voting(1, committee=None)), acts.Wait)


def test_a_member_that_disagrees_objects_at_once() -> None:
    assert isinstance(choose(attesting(), 1, voting(1, agrees=False)), acts.Object)


def test_the_first_carries_when_all_have_signed_and_the_next_if_it_does_not() -> None:
    both = (SiteId(1), SiteId(2))
    voiced = {key_of(): (START, START)}
    carry = acts.Carry(key_of(), (SiteId(2), SiteId(1)), True)
    assert choose(attesting(), 2, voting(2, votes=both, voiced=voiced)) == carry
    assert isinstance(choose(attesting(), 1, voting(1, votes=both, voiced=voiced)), acts.Wait)
    late = {key_of(): (START, START + 2 * STAGGER)}
    known = voting(1, votes=both, voiced=late)
    assert choose(attesting(), 1, known, 2 * STAGGER) == carry


def test_a_member_whose_attestation_nobody_carries_attests_by_itself() -> None:
    known = voting(1, votes=(SiteId(1),), voiced={key_of(): (START, START + 8)})
    assert isinstance(choose(attesting(), 1, known, 7), acts.Wait)
    assert isinstance(choose(attesting(), 1, known, 8), acts.Attest)
    assert isinstance(choose(attesting(), 1, voting(1, is_open=False)), acts.Attest)
