"""Members end a run before its last round although its records do not say so.

Lie: "the target is reached, or our patience is over". One vote changes nothing;
a majority's votes do end the run. Each vote is a signed act: the audit reads
the record that the vote is about, and convicts whoever voted without its word.
"""

from __future__ import annotations

from threading import Event

import pytest

from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.ledger import Phase, Receipt
from fednet.errors import LedgerUnavailableError
from fednet.ledger.writer import Web3Writer
from tests.attacks.lie import Found, Liar, Lie, contract
from tests.attacks.network import Member, Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "A run is ended early though no record says so",
    Liar.MAJORITY,
    (Found("concluded-without-ground", 26), contract("AlreadyConcluding")),
    accused="everybody who voted so",
)
ROUNDS = 2
FIRST = RoundNumber(1)


class Unhurried(Web3Writer):
    """Begin no further round before the test lets go."""

    go: Event

    def advance(self, run: RunId) -> Receipt:
        if not self.go.is_set():
            raise LedgerUnavailableError("the next round is not begun yet")
        return super().advance(run)


@pytest.fixture
def go() -> Event:
    return Event()


def unhurried(network: Network, go: Event) -> list[Member]:
    members = network.members()
    for member in members:
        writer = Unhurried(network.reader, member.account)
        writer.go = go
        member.writer = writer
    return members


def test_one_vote_ends_nothing_and_convicts(network: Network, go: Event) -> None:
    members = unhurried(network, go)
    liar = members[2]
    with network.open(members, rounds=ROUNDS) as run:
        run.start()
        run.reach(Phase.FINAL)
        liar.writer.conclude(run.run, liar.site, FIRST)
        with LIE.refused("AlreadyConcluding"):
            liar.writer.conclude(run.run, liar.site, FIRST)
        go.set()
        assert run.over() is Phase.COMPLETED
        assert run.state.final_rounds == ROUNDS
        report = network.audit(run)
    LIE.found(report, liar.site)


def test_majority_ends_the_run_and_is_convicted(network: Network, go: Event) -> None:
    members = unhurried(network, go)
    liars = members[:3]
    with network.open(members, rounds=ROUNDS) as run:
        run.start()
        run.reach(Phase.FINAL)
        for liar in liars:
            liar.writer.conclude(run.run, liar.site, FIRST)
        assert run.over() is Phase.COMPLETED
        assert run.state.final_rounds == 1
        go.set()
        report = network.audit(run)
    found = LIE.found(report, *(liar.site for liar in liars))
    assert {each.accused for each in found} == {liar.site for liar in liars}


def test_honest_members_end_nothing(network: Network) -> None:
    require_honest_round(network)
