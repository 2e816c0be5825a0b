"""Nothing stalls: deadlines, objections, proposals, attempts and aborts."""

from __future__ import annotations

import pytest

from tests.contracts.chain import (
    ABORTED,
    ATTESTING,
    COLLECTING,
    PROPOSING,
    RESEARCHER,
)
from tests.contracts.world import World


@pytest.fixture
def run(world: World) -> int:
    run = world.open(targetSites=4, quorumBasisPoints=5_000)
    for party in world.parties:
        world.consent(run, party)
    return run


def to_proposing(world: World, run: int) -> None:
    for party in world.parties:
        world.submit(run, party)


def to_attesting(world: World, run: int) -> None:
    to_proposing(world, run)
    world.propose(run, world.turns_party(run, world.parties))


def test_advance_reverts_before_the_deadline_in_every_phase(world: World, run: int) -> None:
    act = world.rounds.functions.advance(run)
    assert world.refusal_of(world.researcher, act).name == "DeadlineAhead"
    to_proposing(world, run)
    assert world.refusal_of(world.researcher, act).name == "DeadlineAhead"
    world.propose(run, world.turns_party(run, world.parties))
    refused = world.refusal_of(world.researcher, act)
    assert (refused.name, refused.arguments) == (
        "DeadlineAhead",
        (run, world.state(run)["deadline"]),
    )


def test_advance_is_for_members_the_researcher_and_operators(world: World, run: int) -> None:
    act = world.rounds.functions.advance(run)
    world.chain.sleep(1_001)
    other = world.chain.accounts[9]
    world.send(world.operator, world.registry.functions.setAccountRoles(0, other, RESEARCHER))
    for account in (world.outsider, other):
        refused = world.refusal_of(account, act)
        assert (refused.name, refused.arguments) == ("CallerNotMember", (run, account.lower()))
    member = world.parties[0]
    world.send(world.operator, world.registry.functions.suspend(member.site))
    assert world.refusal_of(member.account, act).name == "SiteStandingWrong"
    for account in (world.parties[1].account, world.researcher, world.operator):
        snapshot = world.chain.rpc("evm_snapshot")
        world.send(account, act)
        world.chain.rpc("evm_revert", snapshot)


def test_advance_proposes_with_enough_submissions(world: World, run: int) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    receipt = world.advance(run)
    assert world.events(receipt)[0][0] == "SubmissionsClosed"
    assert world.state(run)["phase"] == PROPOSING


def test_advance_starts_the_next_attempt_with_too_few_submissions(world: World, run: int) -> None:
    world.submit(run, world.parties[0])
    world.advance(run)
    state = world.state(run)
    assert (state["phase"], state["round"], state["attempt"], state["submitted"]) == (
        COLLECTING,
        1,
        2,
        0,
    )
    world.submit(run, world.parties[0])  # once in every attempt
    receipt = world.advance(run)
    assert world.events(receipt)[0] == (
        "RunAborted",
        {"run": run, "round": 1, "account": "0x" + "00" * 20},
    )
    assert world.state(run)["phase"] == ABORTED


def test_advance_starts_the_next_attempt_when_nobody_proposed(world: World, run: int) -> None:
    to_proposing(world, run)
    receipt = world.advance(run, world.parties[3].account)
    assert [name for name, _ in world.events(receipt)] == ["SubmissionsClosed", "AttemptStarted"]
    to_proposing(world, run)
    world.advance(run)
    assert world.state(run)["phase"] == ABORTED


def test_advance_ends_a_proposal_that_found_no_quorum(world: World, run: int) -> None:
    to_attesting(world, run)
    world.attest(run, world.parties[0])
    receipt = world.advance(run)
    state = world.state(run)
    assert world.events(receipt) == [
        (
            "ProposalEnded",
            {"run": run, "round": 1, "attempt": 1, "proposal": 1, "deadline": state["deadline"]},
        )
    ]
    assert (state["phase"], state["proposal"], state["attested"]) == (PROPOSING, 2, 0)
    # No second reveal: the next aggregator has the time to propose alone.
    assert state["deadline"] - state["since"] == 500
    assert world.turn(run) == (1 + 1 + 2) % 4


def test_a_vote_on_an_ended_proposal_is_refused(world: World, run: int) -> None:
    to_attesting(world, run)
    world.advance(run)
    party = world.parties[0]
    place = {"round": 1, "attempt": 1, "proposal": 1}
    assert (
        world.refusal_of(party.account, world.attestation(run, party, **place)).name == "PhaseWrong"
    )
    world.propose(run, world.turns_party(run, world.parties))
    assert (
        world.refusal_of(party.account, world.attestation(run, party, **place)).name == "PlaceWrong"
    )
    world.attest(run, party)


def test_objections_end_a_proposal_once_quorum_is_impossible(world: World, run: int) -> None:
    to_attesting(world, run)
    state = world.state(run)
    assert (state["cohort"], state["quorum"]) == (4, 3)
    receipt = world.object_to(run, world.parties[0])
    assert [name for name, _ in world.events(receipt)] == ["RoundObjected"]
    assert world.state(run)["phase"] == ATTESTING
    receipt = world.object_to(run, world.parties[1])
    assert [name for name, _ in world.events(receipt)] == ["RoundObjected", "ProposalEnded"]
    state = world.state(run)
    assert (state["phase"], state["proposal"], state["objected"]) == (PROPOSING, 2, 0)


def test_proposals_then_attempts_then_the_run_end(world: World, run: int) -> None:
    seen = []
    for _ in range(4):
        if world.state(run)["phase"] == COLLECTING:
            to_proposing(world, run)
        world.propose(run, world.turns_party(run, world.parties))
        state = world.state(run)
        seen.append((state["attempt"], state["proposal"]))
        for party in world.parties[:2]:
            receipt = world.object_to(run, party)
    assert seen == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [name for name, _ in world.events(receipt)] == [
        "RoundObjected",
        "ProposalEnded",
        "RunAborted",
    ]
    assert world.events(receipt)[1][1]["deadline"] == 0
    assert world.state(run)["phase"] == ABORTED


def test_the_quorum_never_falls_within_a_round(world: World, run: int) -> None:
    for party in world.parties[:2]:
        world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    world.advance(run)
    state = world.state(run)
    assert (state["attempt"], state["cohort"], state["quorum"]) == (2, 2, 3)


def test_a_quorum_cut_off_by_revocations_aborts_within_the_deadlines(
    world: World, run: int
) -> None:
    to_attesting(world, run)
    for party in world.parties[:2]:
        world.send(world.operator, world.registry.functions.revoke(party.site))
    for party in world.parties[2:]:
        world.attest(run, party)
    steps = 0
    while world.state(run)["phase"] != ABORTED:
        world.advance(run, world.parties[3].account)
        steps += 1
    assert steps == 3  # proposal 1, then proposal 2 never came, then attempt 2 found nobody


def test_abort_is_for_the_researcher_and_operators(world: World, run: int) -> None:
    act = world.rounds.functions.abort(run)
    for account in (world.outsider, world.parties[0].account):
        refused = world.refusal_of(account, act)
        assert (refused.name, refused.arguments) == ("CallerNotMember", (run, account.lower()))
    receipt = world.send(world.operator, act)
    assert world.events(receipt)[0] == (
        "RunAborted",
        {"run": run, "round": 1, "account": world.operator.lower()},
    )
    assert world.refusal_of(world.researcher, act).arguments == (run, ABORTED)
    assert world.state(run)["finalRounds"] == 0


def test_a_dismissed_researcher_no_longer_leads_the_run(world: World, run: int) -> None:
    world.send(world.operator, world.registry.functions.setAccountRoles(0, world.researcher, 0))
    refused = world.refusal_of(world.researcher, world.rounds.functions.abort(run))
    assert refused.name == "CallerNotMember"


def test_earlier_rounds_stay_final_after_an_abort(world: World, run: int) -> None:
    to_attesting(world, run)
    for party in world.parties[:3]:
        world.attest(run, party)
    settled = world.rounds.functions.settlementOf(run, 1).call()
    world.send(world.researcher, world.rounds.functions.abort(run))
    state = world.state(run)
    assert (state["finalRounds"], state["creditsGranted"]) == (1, 1_000)
    assert world.rounds.functions.settlementOf(run, 1).call() == settled != bytes(32)
