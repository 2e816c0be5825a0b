"""Attestations, objections, and what makes a round final."""

from __future__ import annotations

import pytest
from eth_abi import encode as abi_encode
from eth_utils import keccak

from tests.contracts.chain import (
    COLLECTING,
    COMPLETED,
    FINAL,
    digest,
    running_hash,
)
from tests.contracts.moves import finish_round, to_attesting
from tests.contracts.world import World

ZERO = bytes(32)


@pytest.fixture
def run(world: World) -> int:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    return run


def test_attest_records_emits_and_does_not_finalize_alone(world: World, run: int) -> None:
    to_attesting(world, run)
    party = world.parties[0]
    receipt = world.attest(run, party)
    assert world.events(receipt) == [
        (
            "RoundAttested",
            {
                "run": run,
                "round": 1,
                "site": party.site,
                "attempt": 1,
                "proposal": 1,
                "witness": digest("witness", run, party.site),
            },
        )
    ]
    member = world.member(run, party)
    assert (member["attestedRound"], member["attestedAttempt"], member["attestedProposal"]) == (
        1,
        1,
        1,
    )
    assert world.state(run)["attested"] == 1


def test_attest_and_object_revert(world: World, run: int) -> None:
    party, stranger = world.parties[0], world.parties[3]
    for make in (world.attestation, world.objection):
        refused = world.refusal_of(party.account, make(run, party))
        assert (refused.name, refused.arguments) == ("PhaseWrong", (run, COLLECTING))
    to_attesting(world, run)
    for make in (world.attestation, world.objection):
        for changes, error in (
            ({"digest": ZERO}, "CommitmentZero"),
            ({"round": 2}, "PlaceWrong"),
            ({"attempt": 0}, "PlaceWrong"),
            ({"proposal": 2}, "PlaceWrong"),
        ):
            assert world.refusal_of(party.account, make(run, party, **changes)).name == error
        refused = world.refusal_of(stranger.account, make(run, stranger))
        assert (refused.name, refused.arguments) == ("SiteNotInCohort", (run, stranger.site))
        assert world.refusal_of(stranger.account, make(run, party)).name == "AccountNotOfSite"
    world.attest(run, party)
    for make in (world.attestation, world.objection):
        refused = world.refusal_of(party.account, make(run, party))
        assert (refused.name, refused.arguments) == ("AlreadyAttested", (run, 1, party.site))
    world.chain.sleep(501)
    other = world.parties[1]
    assert world.refusal_of(other.account, world.attestation(run, other)).name == "DeadlinePassed"


def test_quorum_finalizes_and_any_member_starts_the_next_round(world: World, run: int) -> None:
    to_attesting(world, run)
    world.attest(run, world.parties[0])
    receipt = world.attest(run, world.parties[1])
    assert world.events(receipt)[1:] == [
        ("RoundFinalized", {"run": run, "round": 1, "attempt": 1, "proposal": 1})
    ]
    state = world.state(run)
    assert (state["phase"], state["round"], state["finalRounds"]) == (FINAL, 1, 1)
    assert (state["creditsGranted"], state["attested"]) == (1_000, 2)
    settled = world.settlement(run, 1, 1_000, digest("root"))
    expected = keccak(abi_encode(["bytes32", "bytes32", "bytes32", "uint64"], list(settled)))
    assert world.rounds.functions.settlementOf(run, 1).call() == expected
    assert world.rounds.functions.settlementOf(run, 2).call() == ZERO
    receipt = world.go_on(run)
    assert [name for name, _ in world.events(receipt)] == ["AttemptStarted"]
    assert world.rounds.functions.settlementOf(run, 1).call() == expected
    state = world.state(run)
    assert (state["phase"], state["round"], state["attempt"], state["submitted"]) == (
        COLLECTING,
        2,
        1,
        0,
    )
    assert (state["finalRounds"], state["creditsGranted"]) == (1, 1_000)


def test_the_last_round_completes_the_run(world: World, run: int) -> None:
    finish_round(world, run)
    finish_round(world, run)
    state = world.state(run)
    assert (state["phase"], state["round"], state["finalRounds"]) == (COMPLETED, 2, 2)
    assert world.events({"logs": world.logs_of(run)[-1:]})[0] == (
        "RunCompleted",
        {"run": run, "rounds": 2},
    )
    for account, act in (
        (world.researcher, world.rounds.functions.abort(run)),
        (world.researcher, world.rounds.functions.advance(run)),
        (world.parties[0].account, world.submission(run, world.parties[0])),
        (world.parties[0].account, world.proposal(run, world.parties[0])),
    ):
        refused = world.refusal_of(account, act)
        assert (refused.name, refused.arguments) == ("PhaseWrong", (run, COMPLETED))


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_late_attestation_is_recorded_once_and_changes_nothing(world: World, rounds: int) -> None:
    run = world.open(targetSites=3, rounds=rounds)
    for party in world.parties[:3]:
        world.consent(run, party)
    finish_round(world, run)
    before, late = world.state(run), world.parties[2]
    place = {"round": 1, "attempt": 1, "proposal": 1}
    receipt = world.attest(run, late, **place)
    assert [name for name, _ in world.events(receipt)] == ["RoundAttested"]
    assert world.state(run) == before
    for make in (world.attestation, world.objection):
        assert world.refusal_of(late.account, make(run, late, **place)).name == "AlreadyAttested"


def test_going_back_to_the_last_final_proposal_does_not_give_a_second_vote(
    world: World, run: int
) -> None:
    finish_round(world, run)
    to_attesting(world, run)
    late = world.parties[2]
    world.attest(run, late)
    # The way to a second vote would be: attest round 1 late, then round 2 again.
    refused = world.refusal_of(
        late.account, world.attestation(run, late, round=1, attempt=1, proposal=1)
    )
    assert refused.name == "AlreadyAttested"


def test_a_withdrawn_site_attests_only_what_it_took_part_in(world: World, run: int) -> None:
    took_part, did_not = world.parties[0], world.parties[1]
    world.submit(run, took_part)
    world.submit(run, world.parties[2])
    for party in (took_part, did_not):
        world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    world.chain.sleep(150)
    world.propose(run, world.parties[2])
    assert (
        world.refusal_of(did_not.account, world.attestation(run, did_not)).name == "SiteNotInCohort"
    )
    world.attest(run, took_part)


def test_running_hash_covers_every_event_of_the_run(world: World, run: int) -> None:
    other = world.open()
    world.consent(other, world.parties[3])
    finish_round(world, run)
    world.attest(run, world.parties[2], round=1, attempt=1, proposal=1)
    world.advance(run)
    world.send(world.researcher, world.rounds.functions.abort(run))
    logs = world.logs_of(run)
    assert running_hash(logs) == world.rounds.functions.runningHashOf(run).call()
    swapped = [logs[1], logs[0], *logs[2:]]
    for wrong in (logs[:-1], logs[1:], swapped):
        assert running_hash(wrong) != world.rounds.functions.runningHashOf(run).call()
