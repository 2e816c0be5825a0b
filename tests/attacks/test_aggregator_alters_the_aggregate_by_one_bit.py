"""An aggregator flips the lowest bit of one parameter of the next state.

Liar: the turn's aggregator. Lie: "this is the average". Found by recomputing it
bit for bit (check 11); the audit names the aggregator.
"""

from __future__ import annotations

from dataclasses import replace

from tests.attacks import lies
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_overruled


def test_altered_aggregate_is_overruled(network: Network) -> None:
    members = network.members()
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        data = bytearray(right.state_path.read_bytes())
        data[-4] ^= 1
        lie, path = lies.with_state(liar, right.record, bytes(data))
        lies.propose(liar, run, lie, path)
        report = require_overruled(network, run)
    assert report.accused == (liar.site,)
    assert {(each.code, each.check) for each in report.findings if each.accused} >= {
        ("aggregate-differs", 11)
    }


def test_state_told_to_the_contract_alone_is_overruled(network: Network) -> None:
    """The record is right; the contract is told another state."""
    members = network.members()
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        other = replace(right.settlement, state=right.settlement.record)
        lies.propose(liar, run, right.record, right.state_path, state=other.state)
        report = require_overruled(network, run)
    assert report.accused == (liar.site,)
    assert ("settlement-differs", 13) in {(each.code, each.check) for each in report.findings}
