"""An aggregator combines by another rule than the plan's: a median, or without weights."""

from __future__ import annotations

import pytest

from tests.attacks import lies
from tests.attacks.combining import average, median
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate follows another rule than the plan's",
    Liar.AGGREGATOR,
    (Found("aggregate-differs", 11),),
    accused="the aggregator",
)


@pytest.mark.parametrize("rule", ["median", "unweighted"])
def test_other_rule_is_overruled(network: Network, rule: str) -> None:
    with network.open(network.members()) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        sites = [entry.site for entry in right.record.updates]
        data = median(sites) if rule == "median" else average((site, 1) for site in sites)
        lie, path = lies.with_state(liar, right.record, data)
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_honest_aggregate_follows_the_plan(network: Network) -> None:
    require_control(network)
