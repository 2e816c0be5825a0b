"""A machine plays honest, hostile and careless acts against the contracts in any order.

What it must never see: a record that changes, credits above what final rounds
granted, a phase that no rule leads to, a running hash that the log does not fold
to. Values are drawn with zero, the highest and repetitions more often than not,
because nothing else finds the mistakes made at those.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.contracts.chain import (
    ABORTED,
    ATTESTING,
    COLLECTING,
    COMPLETED,
    FINAL,
    GATHERING,
    MODULES,
    PROPOSING,
    Anvil,
    Refused,
    digest,
    running_hash,
)
from tests.contracts.world import World, leaf_hash

SITES = 4
LEGAL = {
    GATHERING: {COLLECTING, ABORTED},
    COLLECTING: {PROPOSING, ABORTED},
    PROPOSING: {ATTESTING, COLLECTING, ABORTED},
    ATTESTING: {PROPOSING, COLLECTING, FINAL, ABORTED},
    FINAL: {COLLECTING, COMPLETED, ABORTED},
    COMPLETED: set(),
    ABORTED: set(),
}
sites = st.integers(0, SITES - 1)
digests = st.sampled_from([digest("honest")] * 6 + [bytes(32), b"\xff" * 32])
weights = st.sampled_from([1, 500, 500, 500, 0, 501, 2**64 - 1])
places = st.sampled_from([0] * 8 + [1, -1])
grants = st.sampled_from([1_000, 1_000, 0, 1, 1_001, 2**63])


class Rounds(RuleBasedStateMachine):
    """One run of four sites, and everybody's attempts to move it."""

    chain: Anvil
    module: str
    reached: list[tuple[int, int]]

    @initialize(
        steps=st.sampled_from([3, 4, 2, 1, 5, 0]),
        ready=st.sampled_from([True] * 3 + [False]),
        aim=st.sampled_from([0, 2, 3]),
        wait=st.sampled_from([0, 0, 50, 10_000]),
    )
    def deploy(self, steps: int, ready: bool, aim: int, wait: int) -> None:
        self.world = World(self.chain, SITES, self.module)
        self.run_id = self.world.open(
            rounds=2,
            targetSites=3,
            maximumSites=SITES + 2,
            targetUpdates=aim,
            stragglerPercent=wait if aim else 0,
            transferable=True,
        )
        self.most_updates = SITES + 2 if wait or not aim else aim
        self.concluding: dict[int, set[int]] = {}
        if ready:
            for party in self.world.parties[:3]:
                self.world.consent(self.run_id, party)
        self.before = self.world.state(self.run_id)
        self.settled: dict[int, bytes] = {}
        self.roots: dict[tuple[int, int, int], tuple[Any, ...]] = {}
        self._go_on(steps, earner=steps % SITES)

    def _try(self, account: str, act: Any) -> bool:
        try:
            self.world.send(account, act)
        except Refused:
            return False
        return True

    @rule(site=sites)
    def consent(self, site: int) -> None:
        party = self.world.parties[site]
        if self.world.member(self.run_id, party)["consenting"]:
            return
        grant = self.world.grant(party)
        act = self.world.rounds.functions.consent(self.run_id, party.site, grant)
        self._try(party.account, act)

    @rule(site=sites, commitment=digests, weight=weights, round_off=places, attempt_off=places)
    def submit(
        self, site: int, commitment: bytes, weight: int, round_off: int, attempt_off: int
    ) -> None:
        party, state = self.world.parties[site], self.world.state(self.run_id)
        place = {
            "round": max(0, state["round"] + round_off),
            "attempt": max(0, state["attempt"] + attempt_off),
        }
        member = self.world.member(self.run_id, party)
        done = self._try(
            party.account,
            self.world.submission(
                self.run_id, party, commitment=commitment, weight=weight, **place
            ),
        )
        if done:
            assert state["phase"] == COLLECTING
            assert (round_off, attempt_off) == (0, 0)
            assert any(commitment)
            assert 0 < weight <= member["maximumExamples"]
            assert member["position"] < state["rosterLength"]
            assert (member["submittedRound"], member["submittedAttempt"]) != (
                state["round"],
                state["attempt"],
            )

    @rule(site=sites, record=digests, granted=grants, off=places)
    def propose(self, site: int, record: bytes, granted: int, off: int) -> None:
        self._propose(site, record, granted, off)

    def _propose(self, site: int, record: bytes, granted: int, off: int) -> None:
        party, state = self.world.parties[site], self.world.state(self.run_id)
        total = state["creditsGranted"] + granted
        root = leaf_hash(31_337, self.world.credits.address, self.run_id, party.site, total)
        act = self.world.proposal(
            self.run_id,
            party,
            record=record,
            creditsTotal=total,
            creditsRoot=root,
            included=max(0, state["submitted"] + off),
        )
        if self._try(party.account, act):
            assert state["phase"] == PROPOSING
            assert granted <= 1_000
            assert off == 0
            assert any(record)
            key = (state["round"], state["attempt"], state["proposal"])
            self.roots[key] = (record, digest("state", self.run_id, state["round"]), root, total)

    @rule()
    def wait_for_the_grace_period_to_end(self) -> None:
        self.world.chain.sleep(160)

    @rule(site=sites, witness=digests, objects=st.booleans(), off=places)
    def vote(self, site: int, witness: bytes, objects: bool, off: int) -> None:
        party, state = self.world.parties[site], self.world.state(self.run_id)
        make = self.world.objection if objects else self.world.attestation
        place = {"round": max(0, state["round"] + off)}
        if off == -1:
            place |= {"attempt": 1, "proposal": 1}
        if self._try(party.account, make(self.run_id, party, digest=witness, **place)):
            assert any(witness)
            after = self.world.state(self.run_id)
            if off:  # late: it changes nothing
                assert after == state

    @rule(steps=st.sampled_from([1, 1, 2, 3, 6]), earner=sites)
    def go_on_honestly(self, steps: int, earner: int) -> None:
        self._go_on(steps, earner)

    @rule(steps=st.sampled_from([3, 3, 1, 2, 4]), earner=sites)
    def finish_a_round(self, steps: int, earner: int) -> None:
        self._go_on(steps, earner)

    def _go_on(self, steps: int, earner: int) -> None:
        """Act as honest sites do: random acts alone hardly ever bring a round to its end."""
        for _ in range(steps):
            phase = self.world.state(self.run_id)["phase"]
            if phase == COLLECTING:
                for party in self.world.parties:
                    self._try(party.account, self.world.submission(self.run_id, party))
            elif phase == PROPOSING:
                self.world.chain.sleep(160)
                for site in range(SITES):
                    self._propose((earner + site) % SITES, digest("honest"), 1_000, 0)
            elif phase == ATTESTING:
                for party in self.world.parties:
                    self._try(party.account, self.world.attestation(self.run_id, party))
            elif phase == FINAL:
                advance = self.world.rounds.functions.advance(self.run_id)
                self._try(self.world.parties[earner].account, advance)

    @rule(site=sites, earnest=st.sampled_from([False, False, True]))
    def withdraw(self, site: int, earnest: bool) -> None:
        if not earnest:
            return
        party = self.world.parties[site]
        self._try(party.account, self.world.rounds.functions.withdraw(self.run_id, party.site))

    @rule(site=sites, off=places)
    def conclude(self, site: int, off: int) -> None:
        party, state = self.world.parties[site], self.world.state(self.run_id)
        number = max(0, state["round"] + off)
        act = self.world.rounds.functions.conclude(self.run_id, party.site, number)
        if self._try(party.account, act):
            assert (state["phase"], off) == (FINAL, 0)
            self.concluding.setdefault(number, set()).add(site)

    @rule(late=st.sampled_from([False, False, True]), outsider=st.booleans())
    def advance(self, late: bool, outsider: bool) -> None:
        state = self.world.state(self.run_id)
        if late:
            self.world.chain.sleep(max(0, state["deadline"] - self.world.chain.now) + 1)
        account = self.world.outsider if outsider else self.world.researcher
        if self._try(account, self.world.rounds.functions.advance(self.run_id)):
            assert not outsider
            assert state["phase"] == FINAL or self.world.chain.now > state["deadline"]

    @rule(site=sites, round_number=st.sampled_from([0, 1, 1, 2, 2, 3]), earned=grants)
    def claim(self, site: int, round_number: int, earned: int) -> None:
        party = self.world.parties[site]
        for (proposed, _, _), settlement in self.roots.items():
            for amount in (earned, int(settlement[3])) if proposed == round_number else ():
                self._try(
                    party.account,
                    self.world.credits.functions.claim(
                        self.run_id, party.site, round_number, settlement, amount, []
                    ),
                )
        # The honest claim of whoever earned: each leaf is the whole tree here.
        for (proposed, _, _), settlement in self.roots.items():
            for each in self.world.parties:
                self._try(
                    each.account,
                    self.world.credits.functions.claim(
                        self.run_id, each.site, proposed, settlement, int(settlement[3]), []
                    ),
                )

    @rule(giver=sites, taker=sites, amount=grants)
    def transfer(self, giver: int, taker: int, amount: int) -> None:
        first, second = self.world.parties[giver], self.world.parties[taker]
        self._try(
            first.account,
            self.world.credits.functions.transfer(self.run_id, first.site, second.site, amount),
        )

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.reached.append((self.before["finalRounds"], self._claimed()))

    def _claimed(self) -> int:
        return int(self.world.credits.functions.totalOf(self.run_id).call()[0])

    @invariant()
    def records_never_change(self) -> None:
        state = self.world.state(self.run_id)
        settlement_of = self.world.rounds.functions.settlementOf
        for number in range(4):
            settlement = bytes(settlement_of(self.run_id, number).call())
            assert any(settlement) == (1 <= number <= state["finalRounds"])
            if any(settlement):
                assert self.settled.setdefault(number, settlement) == settlement

    @invariant()
    def credits_never_exceed_grants(self) -> None:
        state = self.world.state(self.run_id)
        accounts = [
            self.world.credits.functions.accountOf(self.run_id, party.site).call()
            for party in self.world.parties
        ]
        claimed = self._claimed()
        assert sum(each[0] for each in accounts) == sum(each[1] for each in accounts) == claimed
        assert claimed <= state["creditsGranted"] <= 1_000 * state["finalRounds"]

    @invariant()
    def phases_follow_the_rules(self) -> None:
        state, before = self.world.state(self.run_id), self.before
        self.before = state
        assert max(state["submitted"], state["expected"]) <= min(state["cohort"], self.most_updates)
        assert state["cohort"] <= state["rosterLength"]
        closes = state["submitted"] == state["expected"] != 0
        if state["phase"] == COLLECTING and closes:
            # Only a consent that ended after the deadline leaves the closing to `advance`.
            assert self.world.chain.now > state["deadline"]
        if state["phase"] == ATTESTING:
            assert state["attested"] < state["quorum"]
        if state["phase"] == FINAL:
            assert state["attested"] >= state["quorum"]
            assert state["finalRounds"] == state["round"]
        assert state["attested"] + state["objected"] <= state["cohort"]
        assert state["finalRounds"] >= before["finalRounds"]
        here, there = _key(before), _key(state)
        assert there >= here
        if state["phase"] != before["phase"] and there[:2] == here[:2]:
            assert state["phase"] in _reachable(before["phase"])
        if state["phase"] == COMPLETED:
            votes = len(self.concluding.get(state["finalRounds"], ()))
            assert state["finalRounds"] == 2 or votes >= state["quorum"]
        if before["phase"] in (COMPLETED, ABORTED):
            assert {**state, "consenting": 0} == {**before, "consenting": 0}
        if state["round"] == before["round"]:
            assert state["quorum"] >= before["quorum"]

    @invariant()
    def the_log_folds_to_the_running_hash(self) -> None:
        stored = bytes(self.world.rounds.functions.runningHashOf(self.run_id).call())
        assert running_hash(self.world.logs_of(self.run_id)) == stored


def _key(state: dict[str, Any]) -> tuple[int, int, int]:
    return state["round"], state["attempt"], state["proposal"]


def _reachable(phase: int) -> set[int]:
    """Every phase that legal moves lead to; a rule here may cause more than one."""
    found: set[int] = set()
    waiting = set(LEGAL[phase])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting |= LEGAL[each]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_rounds_keep_their_promises_in_any_order(property_chain: Anvil, module: str) -> None:
    reached: list[tuple[int, int]] = []
    bound = {"chain": property_chain, "module": module, "reached": reached}
    machine = type("BoundRounds", (Rounds,), bound)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    # Promises that were never put to the test prove nothing.
    assert max(rounds for rounds, _ in reached) == 2
    assert max(claimed for _, claimed in reached) > 0
