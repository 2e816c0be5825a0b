"""An aggregator gives one site one example more than it submitted, all else consistently.

Liar: the turn's aggregator. Lie: a weight in the record, with the state and the
credits that follow from it. Found by recomputing from the ledger's weights
(checks 10, 11 and 14); the audit names the aggregator.
"""

from __future__ import annotations

import numpy as np

from fednet.credits import share_out
from fednet.domain.identity import SiteId
from fednet.domain.tensors import encode_tensors
from fednet.domain.update import STATE_METADATA
from tests.attacks import lies
from tests.attacks.doubles import INITIAL, difference
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_overruled


def average(weights: dict[SiteId, int]) -> bytes:
    """Combine what the sites learnt in round 1 by these weights, as FedAvg does."""
    arrays = {}
    for name, base in INITIAL.items():
        total = np.zeros(base.shape)
        for site, weight in sorted(weights.items()):
            total += np.float64(weight) * difference(site, 1)[name]
        arrays[name] = (base + total / sum(weights.values())).astype(np.float32)
    return encode_tensors(arrays, STATE_METADATA)


def test_changed_weight_is_overruled(network: Network) -> None:
    members = network.members()
    friend = members[2].site
    with network.open(members) as run:
        liar = begin(run)
        right = lies.recomputed(liar, run)
        weights = {SiteId(entry.site): entry.weight for entry in right.record.updates}
        assert average(weights) == right.state_path.read_bytes()
        weights[friend] ^= 1
        lie = lies.with_entry(right.record, friend, weight=weights[friend])
        lie = lies.with_credits(run, lie, share_out(run.plan.credits.per_round, weights))
        lie, path = lies.with_state(liar, lie, average(weights))
        lies.propose(liar, run, lie, path)
        report = require_overruled(network, run)
    assert report.accused == (liar.site,)
    codes = {(each.code, each.check) for each in report.findings}
    assert ("weight-changed", 10) in codes
    assert ("aggregate-differs", 11) in codes
    assert ("credits-differ", 14) in codes
