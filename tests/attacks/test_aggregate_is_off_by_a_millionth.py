"""An aggregator adds a millionth to every parameter: noise, it would say.

There is no noise: combining is exact, whoever does it on whatever machine.
"""

from __future__ import annotations

from tests.attacks import lies
from tests.attacks.combining import average
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate is off by 1e-6",
    Liar.AGGREGATOR,
    (Found("aggregate-differs", 11),),
    accused="the aggregator",
)


def test_aggregate_off_by_a_millionth_is_overruled(network: Network) -> None:
    with network.open(network.members()) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        weights = [(entry.site, entry.weight) for entry in right.record.updates]
        data = average(weights, off_by=1e-6)
        assert data != average(weights) == right.state_path.read_bytes()
        lie, path = lies.with_state(liar, right.record, data)
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_honest_aggregate_is_final(network: Network) -> None:
    require_control(network)
