from __future__ import annotations

from dataclasses import replace

import pytest

from fednet.domain import events as ev
from fednet.domain.identity import Digest, Locator, SiteId
from fednet.domain.ledger import Role, Standing
from fednet.node import acts
from fednet.node.decide import STAGGER_SECONDS, decide
from fednet.node.view import Vote
from tests.unit.node.views import (
    COLLECT,
    GRACE,
    PROPOSE,
    REVEAL,
    Chain,
    attempt_key,
    closed_round,
    commitment_of,
    fetching,
    make_plan,
    own,
    pledge_of,
    proposal_key,
    waits,
    wanted_of,
)

AGREES = Vote(True, Digest(b"\x07" * 32))
DIFFERS = Vote(False, Digest(b"\x08" * 32))
NOBODY: frozenset[SiteId] = frozenset()


# Who may act at all


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REVOKED, Standing.APPLIED])
def test_decide_does_nothing_without_standing(standing: Standing) -> None:
    assert "standing" in waits(Chain().start().view(standing=standing))


def test_decide_does_nothing_without_the_role_of_a_site() -> None:
    assert "standing" in waits(Chain().start().view(roles=Role.RESEARCHER))


def test_decide_does_nothing_without_consent() -> None:
    assert "not consented" in waits(Chain().start().view(site=9))


def test_decide_is_deterministic() -> None:
    view = closed_round().view(held=(2, 3), **own())
    assert decide(view) == decide(view)


# Gathering


def test_decide_waits_while_sites_consent() -> None:
    assert "consenting" in waits(Chain().view(after=50))


@pytest.mark.parametrize(("site", "rank"), [(1, 0), (2, 1), (3, 2)])
def test_decide_advances_a_late_gathering_in_turn(site: int, rank: int) -> None:
    due = 51 + rank * STAGGER_SECONDS
    assert decide(Chain().view(site, after=due)) == acts.Advance(1_050)
    if rank:
        assert "another" in waits(Chain().view(site, after=due - 1))


# Collecting


def test_decide_trains_on_the_initial_model_in_round_one() -> None:
    assert decide(Chain().start().view()) == acts.Train(attempt_key())


def test_decide_submits_what_the_journal_has_committed_to() -> None:
    view = Chain().start().view(pledges={attempt_key(): pledge_of(1)})
    assert decide(view) == acts.Submit(attempt_key())


def test_decide_publishes_first_when_the_plan_reveals_early() -> None:
    chain = Chain(plan=make_plan(reveal_seconds=0)).start()
    pledges = {attempt_key(): pledge_of(1)}
    assert decide(chain.view(pledges=pledges)) == acts.Publish(attempt_key())
    published = {attempt_key()}
    assert decide(chain.view(pledges=pledges, published=published)) == acts.Submit(attempt_key())


def test_decide_waits_for_others_once_it_has_submitted() -> None:
    chain = Chain().start().submit(1)
    assert "others" in waits(chain.view(**own()))


def test_decide_keeps_its_bytes_back_until_submissions_close() -> None:
    chain = Chain().start().submit(1)
    assert "others" in waits(chain.view(pledges={attempt_key(): pledge_of(1)}))


def test_decide_fetches_early_only_when_the_plan_reveals_early() -> None:
    chain = Chain(plan=make_plan(reveal_seconds=0)).start().submit(1, 2)
    assert decide(chain.view(**own())) == acts.Fetch(attempt_key(), (SiteId(2),))
    assert "others" in waits(Chain().start().submit(1, 2).view(**own()))


def test_decide_trains_anew_in_a_second_attempt() -> None:
    chain = Chain().start().submit(1).start(attempt=2)
    assert decide(chain.view(**own())) == acts.Train(attempt_key(attempt=2))


def test_decide_sits_out_what_training_or_airlock_refused() -> None:
    view = Chain().start().view(sat_out={attempt_key(): "norm"})
    assert "norm" in waits(view)
    again = Chain().start().start(attempt=2).view(sat_out={attempt_key(): "norm"})
    assert decide(again) == acts.Train(attempt_key(attempt=2))


def test_decide_submits_no_more_to_a_stage_that_closed_without_it() -> None:
    pledged = {attempt_key(): pledge_of(1)}
    assert "closed" in waits(
        Chain().start().view(pledges=pledged, sat_out={attempt_key(): "the stage closed"})
    )


def test_decide_never_trains_with_other_task_code() -> None:
    assert "digest" in waits(Chain().start().view(obstacle="another digest"))


def test_decide_does_not_train_after_its_grant_expired() -> None:
    chain = Chain().consent(1, 0, expiry=1_000).start()
    assert "expired" in waits(chain.view())


@pytest.mark.parametrize("leave", [True, False])
def test_decide_does_not_train_outside_the_cohort(leave: bool) -> None:
    chain = Chain().start().end(1) if leave else Chain().consent(4, 3).start(roster_length=3)
    assert "others" in waits(chain.view(1 if leave else 4))


def test_decide_takes_part_again_after_consenting_again() -> None:
    chain = Chain().end(1).consent(1, 3).start(roster_length=4)
    assert decide(chain.view()) == acts.Train(attempt_key())


def test_decide_sits_out_an_attempt_its_journal_has_lost() -> None:
    chain = Chain().start().submit(1)
    assert "others" in waits(chain.view())
    assert "another site proposes" in waits(closed_round().view(held=(1, 2, 3)))
    proposed = closed_round().propose(2)
    assert "attesting" in waits(proposed.view(held=(1, 2, 3)))


def test_decide_sits_out_an_attempt_in_which_the_chain_has_another_commitment() -> None:
    other = {attempt_key(): pledge_of(1, attempt=7)}
    assert "another site" in waits(closed_round().view(held=(1, 2, 3), pledges=other))


def test_decide_advances_a_late_collection_instead_of_training() -> None:
    # Rank (position + round + attempt) % 3: site 2 is first.
    view = Chain().start().view(2, after=COLLECT + 1)
    assert decide(view) == acts.Advance(view.state.deadline)
    assert "another" in waits(Chain().start().view(1, after=COLLECT + 1))


def test_decide_still_trains_at_the_very_deadline() -> None:
    assert decide(Chain().start().view(after=COLLECT)) == acts.Train(attempt_key())


def test_decide_advances_even_after_its_own_consent_ended() -> None:
    chain = Chain().start().end(2)
    assert isinstance(decide(chain.view(2, after=COLLECT + 1)), acts.Advance)


def test_decide_drops_a_site_whose_grant_expired() -> None:
    chain = Chain(sites=2).consent(3, 2, expiry=1_010).start().submit(1, 2)
    view = chain.view(2, after=11, **own(2))
    assert decide(view) == acts.Drop(SiteId(3))
    assert "others" in waits(chain.view(2, after=9, **own(2)))


def test_decide_drops_a_revoked_site_that_is_waited_for() -> None:
    chain = Chain().start().submit(1, 2)
    assert decide(chain.view(2, after=1, lost=(3,), **own(2))) == acts.Drop(SiteId(3))


def test_decide_does_not_drop_a_revoked_site_that_has_submitted() -> None:
    chain = Chain().start().submit(2, 3)
    assert "others" in waits(chain.view(2, after=1, lost=(3,), **own(2)))


def test_decide_drops_in_turn() -> None:
    chain = Chain().start().submit(1, 2)
    assert "others" in waits(chain.view(1, after=2 * STAGGER_SECONDS, lost=(3,), **own()))
    late = chain.view(1, after=2 * STAGGER_SECONDS + 1, lost=(3,), **own())
    assert decide(late) == acts.Drop(SiteId(3))


def test_decide_waits_for_a_log_that_lags() -> None:
    chain = Chain().start()
    chain.log.pop()
    assert "lags" in waits(chain.view())


# Proposing: reveal and fetch


def test_decide_needs_no_event_to_see_that_submissions_closed_but_all_of_them() -> None:
    chain = closed_round()
    assert decide(chain.view(held=(2, 3), **own())) == acts.Propose(proposal_key(), NOBODY)
    chain.log.pop()
    assert "lags" in waits(chain.view(held=(2, 3), **own()))


def test_decide_reveals_once_submissions_have_closed() -> None:
    view = closed_round().view(pledges={attempt_key(): pledge_of(1)})
    assert decide(view) == acts.Publish(attempt_key())


def test_decide_reveals_late_while_others_attest() -> None:
    chain = closed_round().propose(2)
    assert decide(chain.view(pledges={attempt_key(): pledge_of(1)})) == acts.Publish(attempt_key())


def test_decide_fetches_what_it_does_not_hold() -> None:
    view = closed_round().view(held=(2,), **own())
    assert decide(view) == acts.Fetch(attempt_key(), (SiteId(3),))


def test_decide_fetches_although_it_sat_out() -> None:
    chain = Chain().start().submit(2, 3).close()
    assert decide(chain.view()) == acts.Fetch(attempt_key(), (SiteId(2), SiteId(3)))


def test_decide_does_not_ask_twice_for_what_is_under_way() -> None:
    view = closed_round().view(held=(2,), **fetching(3), **own())
    assert "revealed" in waits(view)


def test_decide_needs_no_copy_of_its_own_bytes_that_another_hands_in() -> None:
    chain = closed_round()
    chain.log = [
        replace(event, commitment=commitment_of(1))
        if isinstance(event, ev.UpdateSubmitted) and event.site == 3
        else event
        for event in chain.log
    ]
    assert decide(chain.view(held=(2,), **own())) == acts.Propose(proposal_key(), NOBODY)


def test_decide_asks_at_the_place_that_each_site_names() -> None:
    copied = wanted_of(3)._replace(locator=Locator(b"\x09" * 32))
    view = closed_round().view(held=(2,), fetching={copied}, **own())
    assert decide(view) == acts.Fetch(attempt_key(), (SiteId(3),))


# Proposing: turns


def test_decide_proposes_at_once_on_its_turn_with_all_bytes() -> None:
    view = closed_round().view(held=(2, 3), **own())
    assert decide(view) == acts.Propose(proposal_key(), NOBODY)


def test_decide_names_nobody_unavailable_before_the_reveal_is_over() -> None:
    chain = closed_round()
    assert "revealed" in waits(chain.view(after=REVEAL - 1, held=(2,), **own(), **fetching(3)))
    early = chain.view(after=REVEAL + GRACE // 2 - 1, held=(2,), **own(), **fetching(3))
    assert "under way" in waits(early)
    late = chain.view(after=REVEAL + GRACE // 2, held=(2,), **own(), **fetching(3))
    assert decide(late) == acts.Propose(proposal_key(), frozenset({SiteId(3)}))


def test_decide_never_proposes_fewer_updates_than_the_plan_asks_for() -> None:
    view = closed_round().view(after=REVEAL + GRACE, **own(), **fetching(2, 3))
    assert "too few" in waits(view)


def test_decide_does_not_repeat_a_proposal_that_cannot_be_combined() -> None:
    view = closed_round().view(held=(2, 3), unproposable={proposal_key()}, **own())
    assert "combined" in waits(view)


@pytest.mark.parametrize(("site", "rank"), [(2, 1), (3, 2)])
def test_decide_proposes_out_of_turn_only_after_the_grace(site: int, rank: int) -> None:
    opens = REVEAL + GRACE + (rank - 1) * STAGGER_SECONDS
    facts = own(site) | {"held": (1, 2, 3)}
    assert "turn" in waits(closed_round().view(site, after=opens - 1, **facts))
    view = closed_round().view(site, after=opens, **facts)
    assert decide(view) == acts.Propose(proposal_key(), NOBODY)


def test_decide_moves_the_turn_with_every_proposal() -> None:
    chain = closed_round().propose(1).object(2).end_proposal()
    view = chain.view(2, held=(1, 3), **own(2))
    assert decide(view) == acts.Propose(proposal_key(number=2), NOBODY)


def test_decide_has_no_second_reveal() -> None:
    chain = closed_round().propose(1).object(2).end_proposal()
    view = chain.view(2, after=GRACE // 2, held=(1,), **own(2), **fetching(3))
    assert decide(view) == acts.Propose(proposal_key(number=2), frozenset({SiteId(3)}))


def test_decide_repeats_the_very_proposal_it_had_begun() -> None:
    intents = {proposal_key(): frozenset({SiteId(3)})}
    view = closed_round().view(held=(2, 3), intents=intents, **own())
    assert decide(view) == acts.Propose(proposal_key(), frozenset({SiteId(3)}))


def test_decide_proposes_only_with_the_role_of_an_aggregator() -> None:
    view = closed_round().view(held=(2, 3), roles=Role.SITE, **own())
    assert "another site proposes" in waits(view)


def test_decide_does_not_propose_after_withdrawing() -> None:
    view = closed_round().end(1).view(held=(2, 3), **own())
    assert "another site proposes" in waits(view)


def test_decide_advances_when_nobody_proposes_in_time() -> None:
    # Rank (position + round + attempt + proposal) % 3: site 1 is first.
    view = closed_round().view(after=REVEAL + PROPOSE + 1, held=(2, 3), **own())
    assert decide(view) == acts.Advance(view.state.deadline)
