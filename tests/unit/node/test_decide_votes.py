from __future__ import annotations

from typing import Any

import pytest

from fednet.domain.identity import Commitment, Digest, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion
from fednet.node import acts
from fednet.node.decide import STAGGER_SECONDS, decide
from fednet.node.view import Vote
from tests.unit.node.views import (
    ATTEST,
    START,
    Chain,
    attempt_key,
    closed_round,
    fetching,
    own,
    proposal_key,
    waits,
)

AGREES = Vote(True, Digest(b"\x07" * 32))
DIFFERS = Vote(False, Digest(b"\x08" * 32))
NOBODY: frozenset[SiteId] = frozenset()


# Attesting


def test_decide_recomputes_what_another_proposed() -> None:
    view = closed_round().propose(2).view(held=(2, 3), **own())
    assert decide(view) == acts.Recompute(proposal_key(), NOBODY)


def test_decide_fetches_before_it_recomputes() -> None:
    view = closed_round().propose(2).view(held=(2,), **own())
    assert decide(view) == acts.Fetch(attempt_key(), (SiteId(3),))
    under_way = closed_round().propose(2).view(held=(2,), **own(), **fetching(3))
    assert "recompute" in waits(under_way)


def test_decide_attests_what_its_recomputation_confirms() -> None:
    view = closed_round().propose(2).view(held=(2, 3), votes={proposal_key(): AGREES}, **own())
    assert decide(view) == acts.Attest(proposal_key(), AGREES.digest)


def test_decide_objects_to_what_its_recomputation_contradicts() -> None:
    view = closed_round().propose(2).view(held=(2, 3), votes={proposal_key(): DIFFERS}, **own())
    assert decide(view) == acts.Object(proposal_key(), Commitment(DIFFERS.digest))


@pytest.mark.parametrize("kind", ["attest", "object"])
def test_decide_votes_once(kind: str) -> None:
    chain = closed_round().propose(2)
    voted = chain.attest(1) if kind == "attest" else chain.object(1)
    assert "attesting" in waits(voted.view(held=(2, 3), votes={proposal_key(): AGREES}, **own()))


def test_decide_contradicts_unavailable_in_the_first_proposal_when_it_holds_the_bytes() -> None:
    chain = closed_round().propose(2, s3=Inclusion.UNAVAILABLE)
    assert decide(chain.view(held=(2, 3), **own())) == acts.Recompute(proposal_key(), NOBODY)


def test_decide_accepts_unavailable_for_what_it_does_not_hold_either() -> None:
    chain = closed_round().propose(2, s3=Inclusion.UNAVAILABLE)
    view = chain.view(held=(2,), **own(), **fetching(3))
    assert decide(view) == acts.Recompute(proposal_key(), frozenset({SiteId(3)}))


def test_decide_accepts_unavailable_from_the_second_proposal_on() -> None:
    chain = closed_round().propose(1).object(2).end_proposal()
    chain.propose(2, s3=Inclusion.UNAVAILABLE)
    view = chain.view(held=(2, 3), **own())
    assert decide(view) == acts.Recompute(proposal_key(number=2), frozenset({SiteId(3)}))


def test_decide_recomputes_although_it_sat_out_the_submission() -> None:
    chain = Chain().start().submit(2, 3).close().propose(2)
    assert decide(chain.view(held=(2, 3))) == acts.Recompute(proposal_key(), NOBODY)


def test_decide_does_not_vote_outside_the_cohort() -> None:
    chain = closed_round().propose(2).consent(4, 3)
    assert "attesting" in waits(chain.view(4, held=(1, 2, 3)))


def test_decide_does_not_vote_after_withdrawing() -> None:
    assert "attesting" in waits(closed_round().propose(2).end(1).view(held=(2, 3), **own()))


def test_decide_advances_when_too_few_attest_in_time() -> None:
    view = closed_round().propose(2).view(after=ATTEST + 1, held=(2, 3), **own())
    assert decide(view) == acts.Advance(view.state.deadline)


# After finality


def final_round() -> Chain:
    return closed_round().propose(2).attest(2, 3).finalize().start(round_number=2)


def held_in_round_one() -> dict[str, Any]:
    return {"held": (2, 3)}


def test_decide_attests_late_before_anything_else() -> None:
    votes = {proposal_key(): AGREES}
    view = final_round().view(
        votes=votes, verified={proposal_key()}, **held_in_round_one(), **own()
    )
    assert decide(view) == acts.Attest(proposal_key(), AGREES.digest)


def test_decide_recomputes_a_final_round_before_it_trains_on_it() -> None:
    view = final_round().view(**held_in_round_one(), **own())
    assert decide(view) == acts.Recompute(proposal_key(), NOBODY)


def test_decide_trains_on_what_it_has_verified() -> None:
    chain = closed_round().propose(2).attest(1, 2).finalize().start(round_number=2)
    view = chain.view(verified={proposal_key()}, preserved={1}, **own())
    assert decide(view) == acts.Train(attempt_key(round_number=2))


def test_decide_verifies_before_training_although_it_attested() -> None:
    chain = closed_round().propose(2).attest(1, 2).finalize().start(round_number=2)
    view = chain.view(**held_in_round_one(), **own())
    assert decide(view) == acts.Recompute(proposal_key(), NOBODY)


def test_decide_lets_who_joins_train_on_a_round_that_was_not_its_own() -> None:
    chain = final_round().consent(4, 3).start(round_number=2, attempt=2, roster_length=4)
    assert decide(chain.view(4)) == acts.Train(attempt_key(round_number=2, attempt=2))


def test_decide_verifies_the_first_round_of_who_joined_before_the_next() -> None:
    chain = final_round().consent(4, 3).start(round_number=2, attempt=2, roster_length=4)
    chain.submit(1, 2, 3, 4).close().propose(1).attest(1, 2).finalize().start(
        3, attempt=2, roster_length=4
    )
    known = own(4, 2, 2)
    first = attempt_key(2, 2)
    assert decide(chain.view(4, **known)) == acts.Fetch(first, (SiteId(1), SiteId(2), SiteId(3)))
    held = chain.view(4, held=(1, 2, 3), **known)
    assert decide(held) == acts.Recompute(proposal_key(2, 2), NOBODY)


def test_decide_lets_who_joins_dispute_a_round_that_was_not_its_own() -> None:
    chain = final_round().consent(4, 3).start(round_number=2, attempt=2, roster_length=4)
    assert "another record" in waits(chain.view(4, disputed={proposal_key()}))


def test_decide_never_trains_on_a_final_state_it_disputes() -> None:
    chain = closed_round().propose(2).object(1).attest(2, 3).finalize().start(round_number=2)
    view = chain.view(disputed={proposal_key()}, **held_in_round_one(), **own())
    assert "another record" in waits(view)


def test_decide_accepts_a_final_round_that_left_out_bytes_it_held() -> None:
    chain = closed_round().propose(2, s3=Inclusion.UNAVAILABLE).object(1).attest(2, 3)
    chain.finalize().start(round_number=2)
    view = chain.view(votes={proposal_key(): DIFFERS}, **held_in_round_one(), **own())
    assert decide(view) == acts.Recompute(proposal_key(), frozenset({SiteId(3)}))


def test_decide_does_not_vote_late_after_a_later_vote() -> None:
    chain = final_round().submit(1, 2, 3).close().propose(3).attest(1)
    facts = own(1, 2)
    assert "attesting" in waits(chain.view(votes={proposal_key(): AGREES}, **facts))


def test_decide_votes_late_on_the_last_round_of_a_completed_run() -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize().complete()
    view = chain.view(votes={proposal_key(): AGREES}, **held_in_round_one(), **own())
    assert decide(view) == acts.Attest(proposal_key(), AGREES.digest)


@pytest.mark.parametrize(("site", "rank"), [(3, 0), (1, 1), (2, 2)])
def test_decide_begins_the_next_round_in_turn_from_the_site_that_made_it_final(
    site: int, rank: int
) -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize().attest(1)
    view = chain.view(site, after=7)
    due = view.now + rank * STAGGER_SECONDS
    seen: dict[str, Any] = {"seen_final": {proposal_key(): view.now}}
    assert decide(chain.view(site, after=due - START, **seen)) == acts.Advance(view.state.deadline)
    if rank:
        assert "another begins" in waits(chain.view(site, after=due - START - 1, **seen))
        assert "another begins" in waits(chain.view(site, after=7))


def test_decide_begins_the_next_round_whatever_the_deadline_was() -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize()
    late = chain.view(3, after=ATTEST + 50)
    assert decide(late) == acts.Advance(late.state.deadline)


def test_decide_votes_late_before_it_begins_the_next_round() -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize()
    view = chain.view(after=60, votes={proposal_key(): AGREES}, held=(2, 3), **own())
    assert decide(view) == acts.Attest(proposal_key(), AGREES.digest)
    disputed = chain.view(after=60, votes={proposal_key(): DIFFERS}, held=(2, 3), **own())
    assert decide(disputed) == acts.Object(proposal_key(), Commitment(DIFFERS.digest))


def test_decide_begins_the_next_round_although_its_late_vote_has_to_wait() -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize()
    view = chain.view(after=60, held=(2,), seen_final={proposal_key(): 0}, **own(), **fetching(3))
    assert decide(view) == acts.Advance(view.state.deadline)


def test_decide_waits_for_the_log_of_a_final_round() -> None:
    chain = closed_round().propose(2).attest(2, 3).finalize()
    del chain.log[-2:]
    assert "lags" in waits(chain.view(3))


def test_decide_preserves_a_verified_round_once_there_is_time() -> None:
    chain = closed_round().propose(2).attest(1, 2).finalize().start(round_number=2).submit(1)
    facts = own(1, 2) | {"verified": {proposal_key()}}
    assert "others" in waits(chain.view(after=29, **facts))
    assert decide(chain.view(after=30, **facts)) == acts.Preserve(RoundNumber(1))
    assert "others" in waits(chain.view(after=30, preserved={1}, **facts))


def test_decide_is_done_when_every_round_is_final() -> None:
    chain = closed_round().propose(2).attest(1, 2).finalize().complete()
    view = chain.view(verified={proposal_key()}, preserved={1}, **own())
    assert isinstance(decide(view), acts.Done)


def test_decide_is_done_when_the_run_is_aborted() -> None:
    assert isinstance(decide(Chain().start().abort().view()), acts.Done)


def test_decide_does_not_leave_before_the_log_says_that_the_run_is_over() -> None:
    ahead = closed_round().propose(2).attest(1, 2).finalize().complete().state
    chain = closed_round().propose(2)
    chain.state = ahead
    assert "lags" in waits(chain.view(**own()))
