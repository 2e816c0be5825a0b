"""Moves that no act pays for: submissions that have closed, a round that is final.

They follow from the counts; the next act that stores the place settles them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.chain import (
    ABORTED,
    ATTESTING,
    COLLECTING,
    COMPLETED,
    FINAL,
    PROPOSING,
    digest,
    running_hash,
)
from tests.contracts.moves import finish_round, to_attesting, to_final, to_proposing
from tests.contracts.world import World, leaf_hash

FIRST = {"round": 1, "attempt": 1, "proposal": 1}


@pytest.fixture
def run(world: World) -> int:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    return run


def names(world: World, receipt: dict[str, Any]) -> list[str]:
    return [name for name, _ in world.events(receipt)]


def withdraw(world: World, run: int, index: int) -> dict[str, Any]:
    party = world.parties[index]
    return world.send(party.account, world.rounds.functions.withdraw(run, party.site))


def assert_hash_folds(world: World, run: int) -> None:
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_closing_is_marked_without_an_event_and_counts_from_its_time(
    world: World, run: int
) -> None:
    world.chain.sleep(300)
    to_proposing(world, run)
    closing = world.chain.now
    state = world.state(run)
    assert (state["phase"], state["proposal"], state["submitted"]) == (PROPOSING, 1, 3)
    assert (state["since"], state["deadline"]) == (closing, closing + 600)
    assert (state["attested"], state["objected"]) == (0, 0)
    world.chain.sleep(550)
    assert world.state(run) == state
    world.propose(run, world.parties[2])
    assert_hash_folds(world, run)


@pytest.mark.parametrize("left", [0, 1])
def test_closing_at_the_last_second_of_the_stage(world: World, run: int, left: int) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    last = world.submission(run, world.parties[2])
    deadline = world.state(run)["deadline"]
    world.chain.rpc("evm_setNextBlockTimestamp", deadline - left)
    world.send(world.parties[2].account, last)
    state = world.state(run)
    assert (state["phase"], state["since"]) == (PROPOSING, deadline - left)


def test_an_attempt_that_nobody_proposed_in_ends_with_its_closing_logged(
    world: World, run: int
) -> None:
    to_proposing(world, run)
    deadline = world.state(run)["deadline"]
    act = world.rounds.functions.advance(run)
    refused = world.refusal_of(world.researcher, act)
    assert (refused.name, refused.arguments) == ("DeadlineAhead", (run, deadline))
    receipt = world.advance(run)
    closed, begun = world.events(receipt)
    assert closed == (
        "SubmissionsClosed",
        {"run": run, "round": 1, "attempt": 1, "submitted": 3, "deadline": deadline},
    )
    assert (begun[0], begun[1]["attempt"]) == ("AttemptStarted", 2)
    state = world.state(run)
    assert (state["phase"], state["submitted"], state["attested"]) == (COLLECTING, 0, 0)
    assert_hash_folds(world, run)


def test_abort_logs_a_closing_before_the_end(world: World, run: int) -> None:
    to_proposing(world, run)
    receipt = world.send(world.researcher, world.rounds.functions.abort(run))
    assert names(world, receipt) == ["SubmissionsClosed", "RunAborted"]
    state = world.state(run)
    assert (state["phase"], state["finalRounds"], state["attested"]) == (ABORTED, 0, 0)
    assert_hash_folds(world, run)


def test_the_deadline_of_a_closed_stage_binds_proposals(world: World, run: int) -> None:
    to_proposing(world, run)
    party = world.turns_party(run, world.parties[:3])
    world.chain.sleep(601)
    refused = world.refusal_of(party.account, world.proposal(run, party))
    assert refused.name == "DeadlinePassed"
    assert world.refusal_of(party.account, world.submission(run, party)).arguments == (
        run,
        PROPOSING,
    )


def test_a_consent_that_ends_after_the_closing_does_not_count_down(world: World, run: int) -> None:
    to_proposing(world, run)
    before = world.state(run)
    assert names(world, withdraw(world, run, 0)) == ["ConsentEnded"]
    world.consent(run, world.parties[0])
    after = world.state(run)
    assert {**after, "consenting": 3} == before
    world.chain.sleep(150)
    world.propose(run, world.parties[1])
    assert world.state(run)["submitted"] == 3


def test_a_withdrawal_closes_the_stage_without_those_who_left(world: World, run: int) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    assert names(world, withdraw(world, run, 2)) == ["ConsentEnded"]
    state = world.state(run)
    assert (state["phase"], state["expected"], state["submitted"]) == (PROPOSING, 2, 2)
    assert state["since"] == world.chain.now
    receipt = world.propose(run, world.turns_party(run, world.parties[:2]))
    assert names(world, receipt) == ["SubmissionsClosed", "RoundProposed"]
    assert_hash_folds(world, run)


def test_a_withdrawal_after_the_deadline_leaves_the_closing_to_advance(
    world: World, run: int
) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    world.chain.sleep(1_001)
    withdraw(world, run, 2)
    assert world.state(run)["phase"] == COLLECTING
    assert names(world, world.advance(run)) == ["SubmissionsClosed"]
    state = world.state(run)
    assert (state["phase"], state["deadline"] - state["since"]) == (PROPOSING, 600)


def test_nothing_is_expected_once_too_few_can_come(world: World, run: int) -> None:
    assert world.state(run)["expected"] == 3
    withdraw(world, run, 0)
    assert world.state(run)["expected"] == 2
    world.consent(run, world.parties[0])  # again: that is for the next attempt
    withdraw(world, run, 1)
    world.submit(run, world.parties[2])
    withdraw(world, run, 2)
    state = world.state(run)
    assert (state["phase"], state["expected"], state["submitted"]) == (COLLECTING, 0, 1)
    world.consent(run, world.parties[1])
    assert names(world, world.advance(run)) == ["AttemptStarted"]
    assert world.state(run)["expected"] == 2


def test_finality_is_granted_at_once_and_only_members_move_on(world: World, run: int) -> None:
    to_final(world, run)
    state = world.state(run)
    assert (state["phase"], state["finalRounds"], state["creditsGranted"]) == (FINAL, 1, 1_000)
    assert (state["round"], state["attempt"], state["proposal"]) == (1, 1, 1)
    act = world.rounds.functions.advance(run)
    for outsider in (world.outsider, world.parties[3].account):
        refused = world.refusal_of(outsider, act)
        assert (refused.name, refused.arguments) == ("CallerNotMember", (run, outsider.lower()))
    refused = world.refusal_of(world.parties[2].account, world.proposal(run, world.parties[2]))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, FINAL))
    assert names(world, world.send(world.parties[2].account, act)) == ["AttemptStarted"]
    assert world.refusal_of(world.parties[2].account, act).name == "DeadlineAhead"
    state = world.state(run)
    assert (state["phase"], state["round"], state["creditsGranted"]) == (COLLECTING, 2, 1_000)
    assert_hash_folds(world, run)


def test_votes_after_finality_have_no_deadline_and_end_nothing(world: World) -> None:
    run = world.open(targetSites=4)
    for party in world.parties:
        world.consent(run, party)
    for party in world.parties:
        world.submit(run, party)
    world.propose(run, world.turns_party(run, world.parties))
    first, *others = world.parties
    world.object_to(run, first)
    for party in others[:2]:
        world.attest(run, party)
    assert world.state(run)["phase"] == ATTESTING
    assert names(world, world.attest(run, others[2])) == ["RoundAttested", "RoundFinalized"]
    world.chain.sleep(5_000)
    assert world.refusal_of(first.account, world.attestation(run, first)).name == "AlreadyAttested"
    state = world.state(run)
    assert (state["phase"], state["attested"], state["objected"]) == (FINAL, 3, 1)


@pytest.mark.parametrize("objects", [False, True])
def test_a_vote_in_final_is_recorded_and_changes_no_outcome(
    world: World, run: int, objects: bool
) -> None:
    to_final(world, run)
    before, late = world.state(run), world.parties[2]
    world.chain.sleep(5_000)
    vote = world.object_to if objects else world.attest
    assert names(world, vote(run, late)) == ["RoundObjected" if objects else "RoundAttested"]
    counted = {"attested": 2 if objects else 3, "objected": int(objects)}
    assert world.state(run) == before | counted
    for make in (world.attestation, world.objection):
        assert world.refusal_of(late.account, make(run, late)).name == "AlreadyAttested"
    world.go_on(run)
    assert world.refusal_of(late.account, world.attestation(run, late, **FIRST)).name == (
        "AlreadyAttested"
    )
    assert_hash_folds(world, run)


def test_votes_on_the_round_before_stay_possible_until_the_next_is_left(
    world: World, run: int
) -> None:
    finish_round(world, run)
    to_final(world, run)
    late = world.parties[2]
    world.attest(run, late, **FIRST)
    world.attest(run, late)
    world.go_on(run)
    assert world.state(run)["phase"] == COMPLETED


def test_a_consent_that_ends_in_final_disturbs_nothing(world: World, run: int) -> None:
    to_final(world, run)
    before = world.state(run)
    withdraw(world, run, 0)
    world.send(world.operator, world.registry.functions.revoke(world.parties[1].site))
    world.send(world.outsider, world.rounds.functions.drop(run, world.parties[1].site))
    assert world.state(run) == before | {"consenting": 1}
    world.send(world.parties[2].account, world.rounds.functions.advance(run))
    state = world.state(run)
    assert (state["round"], state["cohort"], state["expected"]) == (2, 1, 0)


def test_the_last_round_completes_by_an_advance(world: World) -> None:
    run = world.open(targetSites=3, rounds=1)
    for party in world.parties[:3]:
        world.consent(run, party)
    to_final(world, run)
    assert world.state(run)["phase"] == FINAL
    assert world.events(world.go_on(run)) == [("RunCompleted", {"run": run, "rounds": 1})]
    state = world.state(run)
    assert (state["phase"], state["finalRounds"], state["creditsGranted"]) == (COMPLETED, 1, 1_000)
    world.attest(run, world.parties[2], **FIRST)


def test_credits_are_claimed_in_final_and_after_an_abort(world: World, run: int) -> None:
    parties, chain_id = world.parties, world.chain.w3.eth.chain_id
    root = leaf_hash(chain_id, world.credits.address, run, parties[0].site, 1_000)
    to_attesting(world, run, creditsRoot=root)
    settled = world.settlement(run, 1, 1_000, root)
    claim = world.credits.functions.claim(run, parties[0].site, 1, settled, 1_000, [])
    world.attest(run, parties[0])
    assert world.refusal_of(parties[0].account, claim).name == "SettlementUnknown"
    world.attest(run, parties[1])
    snapshot = world.chain.rpc("evm_snapshot")
    world.send(parties[0].account, claim)
    world.chain.rpc("evm_revert", snapshot)
    world.send(world.researcher, world.rounds.functions.abort(run))
    world.send(parties[0].account, claim)
    assert world.credits.functions.totalOf(run).call()[0] == 1_000


def test_an_abort_in_final_keeps_the_round_final(world: World, run: int) -> None:
    to_final(world, run)
    settled = world.rounds.functions.settlementOf(run, 1).call()
    receipt = world.send(world.researcher, world.rounds.functions.abort(run))
    assert world.events(receipt) == [
        ("RunAborted", {"run": run, "round": 1, "account": world.researcher.lower()})
    ]
    state = world.state(run)
    assert (state["phase"], state["finalRounds"], state["creditsGranted"]) == (ABORTED, 1, 1_000)
    assert world.rounds.functions.settlementOf(run, 1).call() == settled != bytes(32)
    world.attest(run, world.parties[2], **FIRST)
    assert world.state(run) == state
    assert_hash_folds(world, run)


@pytest.mark.parametrize("attested", [0, 1])
def test_an_abort_before_the_quorum_leaves_the_round_open(
    world: World, run: int, attested: int
) -> None:
    to_attesting(world, run)
    for party in world.parties[:attested]:
        world.attest(run, party)
    world.send(world.researcher, world.rounds.functions.abort(run))
    state = world.state(run)
    assert (state["phase"], state["finalRounds"], state["creditsGranted"]) == (ABORTED, 0, 0)
    assert world.rounds.functions.settlementOf(run, 1).call() == bytes(32)


def test_a_run_that_everybody_left_ends_without_a_final_round(world: World, run: int) -> None:
    finish_round(world, run)
    for index in range(3):
        withdraw(world, run, index)
    world.advance(run)
    state = world.state(run)
    assert (state["cohort"], state["expected"]) == (0, 0)
    while world.state(run)["phase"] != ABORTED:
        world.advance(run)
    assert world.state(run)["finalRounds"] == 1
    assert world.rounds.functions.settlementOf(run, 2).call() == bytes(32)


def test_the_running_hash_covers_the_order_of_settled_moves(world: World, run: int) -> None:
    finish_round(world, run)
    to_proposing(world, run)
    world.advance(run)
    to_final(world, run, record=digest("other record"))
    world.go_on(run)
    told = [name for name, _ in world.events({"logs": world.logs_of(run)})]
    assert told[3:] == [
        *("AttemptStarted", *["UpdateSubmitted"] * 3, "SubmissionsClosed", "RoundProposed"),
        *("RoundAttested", "RoundAttested", "RoundFinalized"),
        *("AttemptStarted", *["UpdateSubmitted"] * 3, "SubmissionsClosed"),
        *("AttemptStarted", *["UpdateSubmitted"] * 3, "SubmissionsClosed", "RoundProposed"),
        *("RoundAttested", "RoundAttested", "RoundFinalized", "RunCompleted"),
    ]
    assert_hash_folds(world, run)
