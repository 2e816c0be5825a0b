"""An aggregator flips the lowest bit of one parameter of the next state.

Lie: "this is the average". Found by recomputing it bit for bit.
"""

from __future__ import annotations

from dataclasses import replace

from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted

LIE = Lie(
    "The aggregate is off by one bit",
    Liar.AGGREGATOR,
    (Found("aggregate-differs", 11), Found("settlement-differs", 13)),
    accused="the aggregator",
)


def test_altered_aggregate_is_overruled(network: Network) -> None:
    members = network.members()
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        data = bytearray(right.state_path.read_bytes())
        data[-4] ^= 1
        lie, path = lies.with_state(liar, right.record, bytes(data))
        lies.propose(liar, run, lie, path)
        require_convicted(LIE, network, run)


def test_state_told_to_the_contract_alone_is_overruled(network: Network) -> None:
    """The record is right; the contract is told another state."""
    members = network.members()
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        other = replace(right.settlement, state=right.settlement.record)
        lies.propose(liar, run, right.record, right.state_path, state=other.state)
        require_convicted(LIE, network, run)


def test_honest_aggregate_is_final(network: Network) -> None:
    require_control(network)
