"""Whatever parties do, reading the log gives what the batched module counts.

Acts come in any order and most are refused at some moment: batches of any positions by
any site, own submissions before and after, departures, votes one by one and carried.
Afterwards the log alone has to tell submissions, votes and committees as the contract
holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fednet.domain import events as ev
from fednet.domain.batch_events import CommitteeDrawn
from fednet.domain.batches import Unfolding, committee_of, draw_committee
from fednet.domain.history import AttemptHistory, RunHistory
from fednet.domain.identity import Digest, RoundNumber, RunId
from fednet.domain.running_hash import running_hash_of
from fednet.ledger import codec
from tests.contracts.batching import carriage, rows, vote, words
from tests.contracts.chain import ATTESTING, COLLECTING, PROPOSING, Anvil, Refused, digest
from tests.contracts.world import World

SITES = 4
POSITIONS = SITES + 2
sites = st.integers(0, SITES - 1)
masks = st.integers(1, (1 << POSITIONS) - 1)


def _kind(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


# A kind stands more often where nothing else finds the mistakes made there; without the
# hand that goes onward, most plays never leave the first phase.
plays = st.lists(
    st.one_of(
        st.tuples(_kind("withdraw", "withdraw", "submit", "consent", "attest", "object"), sites),
        st.tuples(_kind("batch"), st.tuples(sites, masks)),
        st.tuples(_kind("batch"), st.tuples(sites, masks)),
        st.tuples(_kind("onward", "onward", "onward", "carry"), masks),
        st.tuples(_kind("propose", "advance", "move on"), sites),
    ),
    min_size=4,
    max_size=14,
)


@pytest.fixture(scope="package")
def batched(property_chain: Anvil) -> World:
    return World(property_chain, SITES, module="BatchedRounds")


class Play:
    """One run and the acts on it; what the contract refuses is left out."""

    def __init__(self, world: World, committee: int, target: int) -> None:
        self.world = world
        self.run = world.open(
            committee=committee, minimumSites=2, targetSites=SITES, maximumSites=POSITIONS,
            targetUpdates=target, rounds=3, maxAttempts=3, maxProposals=3,
        )  # fmt: skip
        for party in world.parties:
            world.consent(self.run, party)

    def act(self, kind: str, value: Any) -> None:
        if kind == "batch":
            self.batch(*value)
        elif kind in ("carry", "onward"):
            getattr(self, kind)(value)
        else:
            getattr(self, kind.replace(" ", "_"))(value)

    def onward(self, mask: int) -> None:
        """Do what the phase waits for."""
        phase = self.world.state(self.run)["phase"]
        if phase == COLLECTING:
            self.batch(mask % SITES, mask | 0b1111)
        elif phase == PROPOSING:
            self.propose(mask % SITES)
        elif phase == ATTESTING:
            self.carry(mask)
        else:
            self.move_on(0)

    def batch(self, sender: int, mask: int) -> None:
        state, party = self.world.state(self.run), self.world.parties[sender]
        positions = [at for at in range(POSITIONS) if mask >> at & 1]
        entries = {at: (digest("row", at, mask), at) for at in positions}
        self._try(
            party.account,
            self.world.rounds.functions.submitBatch(
                self.run, party.site, state["round"], state["attempt"], digest("sheet"),
                digest("locator"), words(positions), rows(entries),
            ),
        )  # fmt: skip

    def submit(self, index: int) -> None:
        party = self.world.parties[index]
        self._try(party.account, self.world.submission(self.run, party))

    def withdraw(self, index: int) -> None:
        party = self.world.parties[index]
        self._try(party.account, self.world.rounds.functions.withdraw(self.run, party.site))

    def consent(self, index: int) -> None:
        party = self.world.parties[index]
        act = self.world.rounds.functions.consent(self.run, party.site, party.grants[self.run])
        self._try(party.account, act)

    def propose(self, index: int) -> None:
        self.world.chain.sleep(151)  # reveal and grace are over: it is anybody's turn
        party, state = self.world.parties[index], self.world.state(self.run)
        total = 1_000 * state["round"]
        self._try(party.account, self.world.proposal(self.run, party, creditsTotal=total))
        self.world.chain.rpc("evm_mine")

    def attest(self, index: int) -> None:
        party = self.world.parties[index]
        self._try(party.account, self.world.attestation(self.run, party))

    def object(self, index: int) -> None:
        party = self.world.parties[index]
        self._try(party.account, self.world.objection(self.run, party))

    def carry(self, mask: int) -> None:
        for at in range(SITES):
            if mask >> at & 1:
                signed = [vote(self.world, self.run, at)]
                self._try(self.world.outsider, carriage(self.world, self.run, signed))

    def advance(self, _: int) -> None:
        self.world.chain.sleep(1_001)
        self.move_on(0)

    def move_on(self, _: int) -> None:
        self._try(self.world.researcher, self.world.rounds.functions.advance(self.run))

    def _try(self, account: str, act: Any) -> None:
        try:
            self.world.send(account, act)
        except Refused:
            return

    def events(self) -> Sequence[ev.RunEvent]:
        """Read the run's log as the ledger client does."""
        logs = self.world.logs_of(self.run)
        return [codec.read_run_event(codec.read_log(each)) for each in logs]


def require_current(play: Play, attempt: AttemptHistory) -> None:
    """Compare the attempt at hand with what the contract counts."""
    state = play.world.state(play.run)
    assert state["submitted"] == len(attempt.submissions)
    for party in play.world.parties:
        member = play.world.member(play.run, party)
        place = (member["submittedRound"], member["submittedAttempt"])
        # A site that came back has another position, of which nothing was submitted.
        if member["consenting"] and member["position"] < state["rosterLength"]:
            is_in = place == (state["round"], state["attempt"])
            assert is_in == (party.site in attempt.submissions)
    if state["phase"] == ATTESTING:
        proposal = attempt.proposals[state["proposal"]]
        assert state["attested"] == len(proposal.attestations) < state["quorum"]
        assert state["objected"] == len(proposal.objections)


def require_committees(play: Play, events: Sequence[ev.RunEvent], size: int) -> None:
    """Draw every committee again, by the consents that stood."""
    unfolding, proposed, length = Unfolding(), dict[tuple[int, ...], ev.RoundProposed](), 0
    for event in events:
        if isinstance(event, ev.AttemptStarted):
            length = event.roster_length
        if isinstance(event, ev.RoundProposed):
            proposed[event.round, event.attempt, event.proposal] = event
        if isinstance(event, CommitteeDrawn):
            proposal = proposed[event.round, event.attempt, event.proposal]
            block = play.world.chain.w3.eth.get_block(event.seed_block)
            drawn = draw_committee(
                Digest(bytes(block["hash"])), proposal, size, length, unfolding.seats.keys()
            )
            assert committee_of(event) == drawn
        unfolding.take(event)


@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(script=plays, committee=st.sampled_from([2, 3, 0, 1]), target=st.sampled_from([0, 2, 3]))
def test_the_log_tells_what_the_module_counts(
    batched: World, script: list[tuple[str, Any]], committee: int, target: int
) -> None:
    snapshot = batched.chain.rpc("evm_snapshot")
    try:
        play = Play(batched, committee, target)
        for kind, value in script:
            play.act(kind, value)
        events = play.events()
        head = batched.rounds.functions.runningHashOf(play.run).call()
        assert running_hash_of(event.log for event in events) == head
        history = RunHistory.of(RunId(play.run), events)
        state = batched.state(play.run)
        attempt = history.rounds[RoundNumber(state["round"])].attempts[state["attempt"]]
        require_current(play, attempt)
        for number in history.rounds.values():
            for each in number.attempts.values():
                assert each.closed is None or each.closed.submitted == len(each.submissions)
        require_committees(play, events, committee)
        assert history.final_rounds == state["finalRounds"]
    finally:
        batched.chain.rpc("evm_revert", snapshot)
