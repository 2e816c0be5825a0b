"""Measure what the ledger of disclosures costs: first records, later ones, and after many."""

from __future__ import annotations

from collections.abc import Iterator

from web3.contract.contract import ContractFunction

from benchmarks._crowd import Crowd, Row, gas_of
from tests.contracts.chain import digest

REQUEST, DECISION, SPENDING = 48_000, 47_000, 52_000
APPROVED = 2
MICRO = 10**6
MANY_ROUNDS = 100


def measure_disclosures(crowd: Crowd) -> Iterator[Row]:
    """Measure every record of a site; what comes once has no limit."""
    acts, party = crowd.disclosures.functions, crowd.parties[0]
    run, dataset = crowd.run_of(2, rounds=1), party.site

    def gas(act: ContractFunction) -> int:
        return gas_of(crowd.send(party.account, act))

    yield Row("ceiling, first", gas(acts.setCeiling(dataset, 300 * MICRO, MICRO, digest("why"))))
    yield Row("ceiling, lowered", gas(acts.setCeiling(dataset, 200 * MICRO, MICRO, bytes(32))))
    yield Row("retention period", gas(acts.setRetention(dataset, 86_400)))
    for number in range(1, MANY_ROUNDS + 1):
        request = gas(acts.requestRelease(run, number, 1, dataset, digest("request", number)))
        reason = digest("reason", number)
        decision = gas(acts.decideRelease(run, number, 1, dataset, APPROVED, reason))
        spending = gas(acts.spendBudget(run, number, dataset, number * MICRO, 1_000))
        if number in (1, 2, MANY_ROUNDS):
            limit = REQUEST if number > 1 else None
            yield Row(f"request for release, round {number}", request, limit)
            yield Row(f"decision on a release, round {number}", decision, DECISION)
            yield Row(f"spent privacy, round {number}", spending, SPENDING)
    letter = digest("letter"), digest("locator")
    admission = acts.admitReader(run, party.site, crowd.outsider, digest("key"), *letter)
    yield Row("reader of sealed blobs", gas(admission))
    yield Row("end of a reader's right", gas(acts.dismissReader(1, party.site)))
    gas(crowd.access.functions.closeDataset(dataset))
    erasure = acts.recordErasure(run, dataset, 20, digest("list"), digest("grounds"))
    yield Row("erasure", gas(erasure))
