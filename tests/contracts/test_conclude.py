"""The cohort of a final round ends the run with it, before the plan's last round."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.chain import (
    ATTESTING,
    COLLECTING,
    COMPLETED,
    FINAL,
    running_hash,
)
from tests.contracts.moves import finish_round, to_attesting, to_final
from tests.contracts.world import Party, World, leaf_hash


@pytest.fixture
def run(world: World) -> int:
    run = world.open(rounds=3, targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    return run


def conclusion(world: World, run: int, party: Party, round_number: int = 1) -> Any:
    return world.rounds.functions.conclude(run, party.site, round_number)


def test_a_quorum_ends_the_run_with_the_rounds_that_are_final(world: World, run: int) -> None:
    to_final(world, run)
    first, second = world.parties[:2]
    receipt = world.send(first.account, conclusion(world, run, first))
    assert world.events(receipt) == [
        ("RunConcluding", {"run": run, "round": 1, "site": first.site})
    ]
    assert world.state(run)["phase"] == FINAL
    receipt = world.send(second.account, conclusion(world, run, second))
    assert world.events(receipt) == [
        ("RunConcluding", {"run": run, "round": 1, "site": second.site}),
        ("RunCompleted", {"run": run, "rounds": 1}),
    ]
    state = world.state(run)
    assert (state["phase"], state["finalRounds"]) == (COMPLETED, 1)
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()
    refused = world.refusal_of(second.account, world.rounds.functions.advance(run))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, COMPLETED))


def test_the_round_that_ended_the_run_pays_and_takes_late_votes(world: World, run: int) -> None:
    party = world.parties[0]
    root = leaf_hash(31_337, world.credits.address, run, party.site, 900)
    to_final(world, run, creditsTotal=900, creditsRoot=root)
    for each in world.parties[:2]:
        world.send(each.account, conclusion(world, run, each))
    settled = world.settlement(run, 1, 900, root)
    claim = world.credits.functions.claim(run, party.site, 1, settled, 900, [])
    world.send(party.account, claim)
    assert world.state(run)["creditsGranted"] == 900
    world.attest(run, world.parties[2])
    assert not any(world.rounds.functions.settlementOf(run, 2).call())


def test_votes_are_void_once_the_next_round_has_begun(world: World, run: int) -> None:
    to_final(world, run)
    first, second, third = world.parties[:3]
    world.send(first.account, conclusion(world, run, first))
    world.go_on(run)
    refused = world.refusal_of(second.account, conclusion(world, run, second))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, COLLECTING))
    to_final(world, run)
    refused = world.refusal_of(second.account, conclusion(world, run, second))
    assert (refused.name, refused.arguments) == ("PlaceWrong", (run, 2, 1, 1))
    world.send(second.account, conclusion(world, run, second, 2))
    assert world.state(run)["phase"] == FINAL
    world.send(third.account, conclusion(world, run, third, 2))
    state = world.state(run)
    assert (state["phase"], state["finalRounds"]) == (COMPLETED, 2)


def test_conclude_reverts(world: World, run: int) -> None:
    party, stranger = world.parties[0], world.parties[3]
    to_attesting(world, run)
    refused = world.refusal_of(party.account, conclusion(world, run, party))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, ATTESTING))
    for each in world.parties[:2]:
        world.attest(run, each)
    world.send(party.account, conclusion(world, run, party))
    refused = world.refusal_of(party.account, conclusion(world, run, party))
    assert (refused.name, refused.arguments) == ("AlreadyConcluding", (run, 1, party.site))
    refused = world.refusal_of(stranger.account, conclusion(world, run, stranger))
    assert (refused.name, refused.arguments) == ("SiteNotInCohort", (run, stranger.site))
    world.consent(run, stranger)  # too late for this round's cohort
    refused = world.refusal_of(stranger.account, conclusion(world, run, stranger))
    assert refused.name == "SiteNotInCohort"
    refused = world.refusal_of(stranger.account, conclusion(world, run, party))
    assert refused.name == "AccountNotOfSite"


def test_one_that_attested_and_left_still_has_its_say(world: World, run: int) -> None:
    to_final(world, run)
    first, second = world.parties[:2]
    world.send(first.account, world.rounds.functions.withdraw(run, first.site))
    world.send(first.account, conclusion(world, run, first))
    world.send(second.account, conclusion(world, run, second))
    assert world.state(run)["phase"] == COMPLETED


def test_the_last_round_may_be_concluded_like_any_other(world: World, run: int) -> None:
    finish_round(world, run)
    finish_round(world, run)
    to_final(world, run)
    for party in world.parties[1:3]:
        world.send(party.account, conclusion(world, run, party, 3))
    assert (world.state(run)["phase"], world.state(run)["finalRounds"]) == (COMPLETED, 3)
