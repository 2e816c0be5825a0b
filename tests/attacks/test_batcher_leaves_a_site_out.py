"""Whoever makes the batch leaves out a site whose signed update it has.

Lie: "I did not hear it". Nobody can show otherwise, so that nobody is accused;
and nothing is gained by it, since the site submits by itself.
"""

from __future__ import annotations

from fednet.domain.batches import BatchedUpdate
from fednet.domain.ledger import Phase
from tests.attacks import batching
from tests.attacks.batched import Batched
from tests.attacks.batching import BATCHED, BATCHER
from tests.attacks.lie import Liar, Lie, Overcome, require_honest
from tests.attacks.network import Network

COUNTS = Overcome("the site submits by itself, and counts like any other")
LIE = Lie("A batch leaves out a site that signed its update", Liar.AGGREGATOR, (COUNTS,))


def test_site_that_is_left_out_submits_by_itself_and_counts(network: Network) -> None:
    members = network.members()
    liar, victim = members[BATCHER], members[0]
    with network.open(members, **BATCHED) as run:
        ear = batching.Ear(run)
        honest = [member for member in members if member is not liar]
        run.start(*honest)
        heard = ear.hear(*honest)
        rows = [row for site, row in heard.items() if site != victim.site]
        batching.hand_in(liar, run, [*rows, batching.own_row(liar, run)])
        run.reach(Phase.PROPOSING)
        run.cut_messages()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
        submissions = run.submissions()
    alone = [site for site, each in submissions.items() if not isinstance(each, BatchedUpdate)]
    assert alone == [victim.site]
    require_honest(report)
    said = {each.site: (each.verdict, each.earned > 0) for each in report.rounds[0].sites}
    assert said == {each.site: ("included", True) for each in members}
    LIE.saw(COUNTS)


def test_honest_batch_has_everybody(batched: Batched) -> None:
    require_honest(batched.report)
    (entry,) = batched.history.rounds.values()
    submissions = entry.attempts[1].submissions
    assert set(submissions) == {each.site for each in batched.members}
    assert all(isinstance(each, BatchedUpdate) for each in submissions.values())
