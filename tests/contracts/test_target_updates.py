"""A stage that does not wait: it closes on as many submissions as the plan aims at.

Four sites; the plan aims at three updates and needs two.
"""

from __future__ import annotations

import pytest

from tests.contracts.chain import COLLECTING, PROPOSING, running_hash
from tests.contracts.world import World


@pytest.fixture
def run(world: World) -> int:
    return begun(world, targetUpdates=3)


def begun(world: World, **changes: int) -> int:
    run = world.open(minimumSites=4, targetSites=4, **changes)
    for party in world.parties:
        world.consent(run, party)
    return run


def withdraw(world: World, run: int, index: int) -> None:
    party = world.parties[index]
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))


def test_stage_closes_at_the_target_and_the_last_site_is_too_late(world: World, run: int) -> None:
    assert world.state(run)["expected"] == 3
    for party in world.parties[:2]:
        world.submit(run, party)
    assert world.state(run)["phase"] == COLLECTING
    late = world.submission(run, world.parties[3])
    world.submit(run, world.parties[2])
    state = world.state(run)
    assert (state["phase"], state["submitted"], state["cohort"]) == (PROPOSING, 3, 4)
    assert state["since"] == world.chain.now
    refused = world.refusal_of(world.parties[3].account, late)
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, PROPOSING))


def test_a_site_that_did_not_submit_attests_and_the_quorum_is_over_the_whole_cohort(
    world: World, run: int
) -> None:
    for party in world.parties[:3]:
        world.submit(run, party)
    assert world.state(run)["quorum"] == 3
    world.propose(run, world.turns_party(run, world.parties), included=3)
    for party in world.parties[1:]:
        world.attest(run, party)
    assert world.state(run)["finalRounds"] == 1
    world.go_on(run)
    assert world.state(run)["expected"] == 3
    for party in world.parties[1:]:
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING
    world.propose(run, world.turns_party(run, world.parties), included=3)
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_one_that_leaves_is_waited_for_no_more_only_once_the_target_is_out_of_reach(
    world: World, run: int
) -> None:
    withdraw(world, run, 3)
    assert world.state(run)["expected"] == 3
    withdraw(world, run, 2)
    assert world.state(run)["expected"] == 2
    withdraw(world, run, 1)
    assert world.state(run)["expected"] == 0
    assert world.state(run)["phase"] == COLLECTING


def test_the_departure_that_leaves_nobody_to_wait_for_closes_the_stage(
    world: World, run: int
) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    withdraw(world, run, 2)
    assert world.state(run)["phase"] == COLLECTING
    withdraw(world, run, 3)
    assert world.state(run)["phase"] == PROPOSING


def test_one_that_submitted_and_leaves_still_counts(world: World, run: int) -> None:
    world.submit(run, world.parties[0])
    withdraw(world, run, 0)
    assert (world.state(run)["expected"], world.state(run)["submitted"]) == (3, 1)
    for party in world.parties[1:3]:
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING


def test_below_the_target_the_deadline_closes(world: World, run: int) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    world.advance(run)
    assert (world.state(run)["phase"], world.state(run)["submitted"]) == (PROPOSING, 2)


@pytest.mark.parametrize("target", [0, 6])
def test_without_a_target_in_reach_the_whole_cohort_is_awaited(world: World, target: int) -> None:
    run = begun(world, targetUpdates=target)
    assert world.state(run)["expected"] == 4
    withdraw(world, run, 3)
    assert world.state(run)["expected"] == 3
    for party in world.parties[:3]:
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING


def test_a_new_attempt_awaits_the_target_again(world: World, run: int) -> None:
    withdraw(world, run, 3)
    withdraw(world, run, 2)
    world.consent(run, world.parties[2])
    world.advance(run)
    state = world.state(run)
    assert (state["attempt"], state["cohort"], state["expected"]) == (2, 3, 3)
