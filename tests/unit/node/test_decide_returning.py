"""A node that missed rounds: it recomputes them where that is fewer bytes than a state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.domain.blobs import Wanted
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.decide.returning import replay_pays
from fednet.node.view import NodeView
from tests.unit.node.views import (
    Chain,
    attempt_key,
    commitment_of,
    own,
    proposal_key,
    waits,
    wanted_of,
)

OTHERS = (SiteId(2), SiteId(3))
NOBODY: frozenset[SiteId] = frozenset()
SMALL = 20
"""Bytes of an update of which four are fewer than the state's hundred; five are not."""


def missed(rounds: int = 4, **verdicts: Inclusion) -> Chain:
    """Rounds that became final without site 1, from round 2 on; the next one has begun."""
    chain = Chain()
    for number in range(1, rounds + 1):
        everybody = (1, 2, 3) if number == 1 else (2, 3)
        chain.start(number).submit(*everybody).close()
        told = verdicts if number > 1 else {}
        chain.propose(2, **told).attest(2, 3).finalize()
    return chain.start(rounds + 1)


def back(chain: Chain, ground: int = 1, held: tuple[int, ...] = (), **facts: Any) -> NodeView:
    """See the run as site 1, with the updates of the rounds that are held, and with a state."""
    bytes_here = {commitment_of(site, number) for number in held for site in OTHERS}
    known: dict[str, Any] = {
        "ground": ground,
        "verified": {proposal_key(number) for number in range(1, ground + 1)},
        "update_size_bytes": SMALL,
        **own(),
    }
    view = chain.view(**(known | facts))
    return replace(view, facts=replace(view.facts, held=bytes_here))


def under_way(*rounds: int) -> set[Wanted]:
    return {wanted_of(site, number) for number in rounds for site in OTHERS}


def test_decide_asks_for_the_updates_of_every_missed_round() -> None:
    chain = missed()
    assert decide(back(chain)) == acts.Fetch(attempt_key(4), OTHERS)
    asked = {attempt_key(4): 0}
    second = back(chain, fetching=under_way(4), asked=asked)
    assert decide(second) == acts.Fetch(attempt_key(2), OTHERS)
    asked |= {attempt_key(2): 0}
    third = back(chain, fetching=under_way(4, 2), asked=asked)
    assert decide(third) == acts.Fetch(attempt_key(3), OTHERS)


def test_decide_replays_missed_rounds_in_order_and_judges_the_last_final_one() -> None:
    chain = missed()
    assert decide(back(chain, held=(2, 3, 4))) == acts.Replay(proposal_key(2), NOBODY)
    assert decide(back(chain, 2, held=(2, 3, 4))) == acts.Replay(proposal_key(3), NOBODY)
    assert decide(back(chain, 3, held=(2, 3, 4))) == acts.Recompute(proposal_key(4), NOBODY)


def test_decide_replays_what_is_here_while_the_rest_is_under_way() -> None:
    asked = {attempt_key(number): 0 for number in (2, 3, 4)}
    view = back(missed(), held=(2,), fetching=under_way(3, 4), asked=asked)
    assert decide(view) == acts.Replay(proposal_key(2), NOBODY)


def test_decide_fetches_no_update_that_the_final_record_calls_unavailable() -> None:
    chain = missed(s3=Inclusion.UNAVAILABLE)
    view = back(chain, held=(4,))
    assert decide(view) == acts.Fetch(attempt_key(2), (SiteId(2),))
    assert decide(back(chain, held=(2, 3, 4))) == acts.Replay(
        proposal_key(2), frozenset({SiteId(3)})
    )


@pytest.mark.parametrize("facts", [{"update_size_bytes": 25}, {"ground": 0, "verified": set()}])
def test_decide_takes_the_state_whole_where_a_replay_does_not_pay(facts: dict[str, Any]) -> None:
    assert decide(back(missed(), held=(4,), **facts)) == acts.Recompute(proposal_key(4), NOBODY)


def test_decide_counts_only_what_is_not_here_yet() -> None:
    view = back(missed(), held=(2, 4), update_size_bytes=49)
    assert decide(view) == acts.Fetch(attempt_key(3), OTHERS)


def test_decide_takes_the_state_whole_when_a_missed_update_does_not_come() -> None:
    chain = missed()
    known: dict[str, Any] = {
        "held": (4,),
        "fetching": under_way(2, 3),
        "asked": {attempt_key(2): chain.now, attempt_key(3): chain.now},
    }
    view = back(chain, **known)
    assert "round 2, which was missed" in waits(view)
    late = replace(view, now=view.now + 20)
    assert decide(late) == acts.Recompute(proposal_key(4), NOBODY)


def test_decide_never_trains_on_what_follows_a_round_that_it_disputes() -> None:
    view = back(missed(), held=(2, 3, 4), disputed={proposal_key(3)}, ground=2)
    judging = decide(view)
    assert judging == acts.Recompute(proposal_key(4), NOBODY)
    verified = {proposal_key(number) for number in (1, 2, 4)}
    chain = missed(3).submit(2, 3).close().propose(2).attest(1, 2).finalize().start(5)
    voted = back(chain, held=(4,), disputed={proposal_key(3)}, verified=verified)
    assert "round 3 gave another record" in waits(voted)


def outside() -> Chain:
    """Site 1 left the cohort before round 2 and is in that of round 3 again."""
    chain = Chain().start().submit(1, 2, 3).close().propose(2).attest(1, 2).finalize().end(1)
    chain.start(2).submit(2, 3).close().propose(2).attest(2, 3).finalize().consent(1, 3)
    return chain.start(3, roster_length=4)


def test_decide_replays_the_last_round_where_it_was_outside_the_cohort() -> None:
    chain = outside()
    assert decide(back(chain)) == acts.Fetch(attempt_key(2), OTHERS)
    assert decide(back(chain, held=(2,))) == acts.Replay(proposal_key(2), NOBODY)
    assert decide(back(chain, 2, held=(2,))) == acts.Train(attempt_key(3))
    large = back(chain, update_size_bytes=50)
    assert decide(large) == acts.Train(attempt_key(3))


def test_decide_replays_before_it_proposes() -> None:
    chain = outside().submit(2, 3).close()
    view = back(chain, held=(3,), intents={proposal_key(3): NOBODY})
    late = replace(view, now=view.state.deadline)
    assert decide(late) == acts.Fetch(attempt_key(2), OTHERS)
    ready = back(chain, 2, held=(2, 3), intents={proposal_key(3): NOBODY})
    late = replace(ready, now=ready.state.deadline)
    assert decide(late) == acts.Propose(proposal_key(3), NOBODY)


def test_replay_pays_only_while_it_is_fewer_bytes() -> None:
    assert replay_pays(4, 24, 100)
    assert not replay_pays(4, 25, 100)
    assert replay_pays(0, 1_000, 100)
