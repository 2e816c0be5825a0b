"""An aggregator gives one site one example more than it submitted, all else consistently.

Lie: a weight in the record, with the state and the credits that follow from it.
Found by recomputing from the ledger's weights.
"""

from __future__ import annotations

from fednet.credits import share_out
from fednet.domain.identity import SiteId
from tests.attacks import lies
from tests.attacks.combining import average
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate takes other weights than were submitted",
    Liar.AGGREGATOR,
    (Found("weight-changed", 10), Found("aggregate-differs", 11), Found("credits-differ", 14)),
    accused="the aggregator",
)


def test_changed_weight_is_overruled(network: Network) -> None:
    members = network.members()
    friend = members[2].site
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        weights = {SiteId(entry.site): entry.weight for entry in right.record.updates}
        assert average(weights.items()) == right.state_path.read_bytes()
        weights[friend] ^= 1
        lie = lies.with_entry(right.record, friend, weight=weights[friend])
        lie = lies.with_credits(run, lie, share_out(run.plan.credits.per_round, weights))
        lie, path = lies.with_state(liar, lie, average(weights.items()))
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_honest_weights_are_final(network: Network) -> None:
    require_control(network)
