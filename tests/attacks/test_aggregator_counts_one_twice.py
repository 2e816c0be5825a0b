"""An aggregator adds a friend's update twice and divides by the weights accordingly."""

from __future__ import annotations

from tests.attacks import lies
from tests.attacks.combining import average
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate counts one site twice",
    Liar.AGGREGATOR,
    (Found("aggregate-differs", 11),),
    accused="the aggregator",
)


def test_site_counted_twice_is_overruled(network: Network) -> None:
    with network.open(network.members()) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        weights = [(entry.site, entry.weight) for entry in right.record.updates]
        assert average(weights) == right.state_path.read_bytes()
        lie, path = lies.with_state(liar, right.record, average([*weights, weights[1]]))
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_honest_aggregate_counts_each_once(network: Network) -> None:
    require_control(network)
