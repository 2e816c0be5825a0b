"""A site serves its bytes to some members and keeps them from the turn's aggregator.

Lie: "my update is at this locator", to some. The aggregator
rightly calls it unavailable, those who hold it object; they serve it again
themselves, so that the next proposal finds the bytes everywhere. Nobody is
accused: each told the truth about what it could get.
"""

from __future__ import annotations

from threading import Event

from fednet.audit import RoundVerdict
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is served to some and withheld from the aggregator",
    Liar.SITE,
    (Found("update-unavailable", 10), Found("objection-over-availability", 16)),
)


def test_those_who_hold_the_bytes_bring_them_to_all(network: Network) -> None:
    members = network.members()
    first, liar, second, aggregator = members
    with network.open(members) as run:
        update = lies.update(liar, run.place())
        aggregator.store.unreachable[update.commitment] = served_again = Event()
        run.start(first, second, aggregator)
        lies.submit_and_reveal(liar, run, update)
        run.reach(Phase.PROPOSING)
        run.wait_held([first, second], members)
        run.wait_held([aggregator], [first, second])
        timing = run.plan.timing
        network.travel(run.state.deadline - timing.propose_seconds + timing.grace_seconds // 2)
        run.reach(Phase.ATTESTING)
        served_again.set()
        assert run.over() is Phase.COMPLETED
        history = run.history.rounds[RoundNumber(1)]
        report = network.audit(run)
    proposals = history.attempts[1].proposals
    assert proposals[1].proposed.site == aggregator.site
    assert proposals[1].objections.keys() == {first.site, second.site}
    assert history.finalized is not None
    assert history.finalized.proposal == 2
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED
    assert report.verified
    LIE.found(report)
    assert {entry.verdict for entry in report.rounds[0].sites} == {"included"}


def test_honest_update_is_served_to_all(network: Network) -> None:
    require_honest_round(network)
