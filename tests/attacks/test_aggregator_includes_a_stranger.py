"""An aggregator adds the update of a site that never submitted, and pays it.

The stranger is a member of the consortium, and of no cohort of this run.
"""

from __future__ import annotations

from fednet.credits import share_out
from fednet.domain.identity import SiteId
from fednet.domain.record import UpdateEntry
from tests.attacks import lies
from tests.attacks.combining import average
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate includes a stranger",
    Liar.AGGREGATOR,
    (
        Found("submission-invented", 10),
        Found("aggregate-differs", 11),
        Found("credits-differ", 14),
    ),
    accused="the aggregator",
)


def test_stranger_in_the_aggregate_is_overruled(network: Network) -> None:
    members = network.members()
    [stranger] = network.members(1)
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        smuggled = lies.update(stranger, run.place())
        entry = UpdateEntry(
            site=stranger.site,
            commitment=str(smuggled.commitment),
            weight=smuggled.weight,
            verdict="included",
            reason="",
        )
        lie = right.record.model_copy(update={"updates": (*right.record.updates, entry)})
        weights = {SiteId(each.site): each.weight for each in lie.updates}
        lie = lies.with_credits(run, lie, share_out(run.plan.credits.per_round, weights))
        lie, path = lies.with_state(liar, lie, average(weights.items()))
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_honest_aggregate_is_of_the_cohort(network: Network) -> None:
    require_control(network)
