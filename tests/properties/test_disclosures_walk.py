"""A long walk of disclosures in any order, beside a model that says which the contract takes.

Drawn values repeat, and are zero or the highest more often than not, because
nothing else finds the mistakes made at those. The walk is one, by a fixed seed: on a
chain a step costs milliseconds, and Hypothesis's first examples repeat themselves.
"""

from __future__ import annotations

import random
from typing import Any

from tests.contracts.chain import Anvil, Refused, digest, running_hash
from tests.contracts.world import World

SITES, RUNS, STEPS, SEED = 2, 2, 160, 5
REQUESTED, RETURNED = 1, 5
MOST, CERTAINTY = (1 << 48) - 1, 10**12
ROUNDS, ATTEMPTS = (1, 1, 2, 2, 3, 3, 4, 0), (1, 1, 1, 2, 2, 0, 255)
AMOUNTS = (0, 1, 2, 2, 3, 3, 5, 8, 8, MOST)
DECISIONS = (2, 3, 4, RETURNED, RETURNED, REQUESTED, 0)
NOTHING = (0, 0, 0)


class Walk:
    """Two sites, each with a dataset, in two runs."""

    def __init__(self, chain: Anvil) -> None:
        self.world = World(chain, SITES)
        self.runs = [self.world.open() for _ in range(RUNS)]
        for run in self.runs:
            for party in self.world.parties:
                self.world.consent(run, party)
        self.acts = self.world.disclosures.functions
        self.datasets = [self.world.dataset_of(party) for party in self.world.parties]
        self.ceilings = [(0, 0)] * SITES
        self.spent: dict[tuple[int, int], tuple[int, int, int]] = {}
        self.requests: dict[tuple[int, int], tuple[int, int, int]] = {}
        self.logs: list[dict[str, Any]] = []
        self.reached: set[str] = set()
        self.random = random.Random(SEED)

    def step(self) -> None:
        """Do one act, honest or not."""
        run, at = self.random.randrange(RUNS), self.random.randrange(SITES)
        move = self.random.choice((self.ceiling, self.spend, self.spend, self.request, self.decide))
        move(run, at)

    def ceiling(self, run: int, at: int) -> None:
        """Set a ceiling."""
        epsilon, delta = self.random.choices(AMOUNTS, k=2)
        why = self.random.choice((digest("grounds"), bytes(32)))
        raised = epsilon > self.ceilings[at][0] or delta > self.ceilings[at][1]
        act = self.acts.setCeiling(self.datasets[at], epsilon, delta, why)
        if self._do(at, act, delta <= CERTAINTY and (any(why) or not raised)):
            self.ceilings[at] = (epsilon, delta)

    def spend(self, run: int, at: int) -> None:
        """Record what a run spent."""
        number, (epsilon, delta) = self.random.choice(ROUNDS), self.random.choices(AMOUNTS, k=2)
        last, total = self.spent.get((run, at), NOTHING), self.total(at)
        after = total[0] - last[1] + epsilon, total[1] - last[2] + delta
        accepted = (
            number > 0 and number >= last[0] and epsilon >= last[1] and delta >= last[2]
            and after[0] <= self.ceilings[at][0] and after[1] <= self.ceilings[at][1]
        )  # fmt: skip
        act = self.acts.spendBudget(self.runs[run], number, self.datasets[at], epsilon, delta)
        if self._do(at, act, accepted):
            self.spent[run, at] = (number, epsilon, delta)

    def request(self, run: int, at: int) -> None:
        """Ask for a release."""
        number, attempt = self.random.choice(ROUNDS), self.random.choice(ATTEMPTS)
        *before, status = self.requests.get((run, at), NOTHING)
        again = status == RETURNED and (number, attempt) == tuple(before)
        later = (number, attempt) > tuple(before)
        act = self.acts.requestRelease(
            self.runs[run], number, attempt, self.datasets[at], digest("request")
        )
        if self._do(at, act, number > 0 and attempt > 0 and (later or again)):
            self.requests[run, at] = (number, attempt, REQUESTED)

    def decide(self, run: int, at: int) -> None:
        """Decide on the last release, or on one that nobody asked for."""
        number, attempt, status = self.requests.get((run, at), (1, 1, 0))
        off, decision = self.random.choice((0, 0, 0, 1)), self.random.choice(DECISIONS)
        act = self.acts.decideRelease(
            self.runs[run], number + off, attempt, self.datasets[at], decision, digest("reason")
        )
        if self._do(at, act, status == REQUESTED and off == 0 and decision > REQUESTED):
            self.requests[run, at] = (number, attempt, decision)

    def total(self, at: int) -> tuple[int, int]:
        """Add up what all runs spent of a dataset."""
        of_runs = [each for (_, dataset), each in self.spent.items() if dataset == at]
        return sum(each[1] for each in of_runs), sum(each[2] for each in of_runs)

    def _do(self, at: int, act: Any, accepted: bool) -> bool:
        """Act as the dataset's site, seldom as another, which must go as the model says."""
        own = self.random.random() < 0.9
        account = self.world.parties[at if own else (at + 1) % SITES].account
        try:
            receipt = self.world.send(account, act)
        except Refused as refused:
            self.reached.add(refused.name)
            done = False
        else:
            self.reached.add(act.fn_name)
            self.logs += receipt["logs"]
            done = True
        assert done == (own and accepted), (act.fn_name, act.args, own)
        return done


def test_disclosures_keep_their_promises_in_any_order(property_chain: Anvil) -> None:
    walk = Walk(property_chain)
    for _ in range(STEPS):
        walk.step()
    for at, dataset in enumerate(walk.datasets):
        held = walk.acts.budgetOf(dataset).call()
        assert tuple(held[1:5]) == (*walk.ceilings[at], *walk.total(at))
        for number, run in enumerate(walk.runs):
            use = tuple(walk.acts.useOf(run, dataset).call())
            assert use[:3] == walk.requests.get((number, at), NOTHING)
            assert use[3:] == walk.spent.get((number, at), NOTHING)
    assert walk.acts.runningHash().call() == running_hash(walk.logs)
    assert walk.acts.recordCount().call() == len(walk.logs)
    # Promises that were never put to the test prove nothing.
    assert walk.reached == {
        "setCeiling", "spendBudget", "requestRelease", "decideRelease", "AccountNotOfSite",
        "CeilingGroundsMissing", "DeltaInvalid", "BudgetExceeded", "SpendingFell",
        "SpendingOutOfOrder", "ReleaseOutOfOrder", "ReleaseNotPending", "DecisionInvalid",
    }  # fmt: skip
