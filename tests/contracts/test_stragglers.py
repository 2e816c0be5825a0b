"""A wait for stragglers: the stage stays open for a share of the time that the others took.

Four sites; the plan aims at two updates and then waits for half as long again.
"""

from __future__ import annotations

import pytest

from tests.contracts.chain import ABORTED, COLLECTING, PROPOSING, running_hash
from tests.contracts.test_target_updates import begun, withdraw
from tests.contracts.world import World

TOOK = 100
"""Seconds after which the second update comes, or one or two more on a slow machine."""
PERCENT = 50


@pytest.fixture
def run(world: World) -> int:
    return begun(world, targetUpdates=2, stragglerPercent=PERCENT)


def aim_reached(world: World, run: int) -> int:
    """Let two sites submit; return when the wait for the others ends."""
    started = world.state(run)["since"]
    world.submit(run, world.parties[0])
    assert world.state(run)["expected"] == 2
    world.chain.sleep(TOOK)
    world.submit(run, world.parties[1])
    took = world.chain.now - started
    assert took >= TOOK
    return world.chain.now + took * PERCENT // 100


def test_stage_stays_open_for_a_share_of_the_time_that_the_others_took(
    world: World, run: int
) -> None:
    own = world.state(run)["deadline"]
    until = aim_reached(world, run)
    state = world.state(run)
    assert (state["phase"], state["expected"], state["submitted"]) == (COLLECTING, 4, 2)
    assert state["deadline"] == until < own
    world.submit(run, world.parties[2])
    assert world.state(run)["deadline"] == until


def test_a_straggler_that_comes_after_the_wait_is_too_late(world: World, run: int) -> None:
    until = aim_reached(world, run)
    world.chain.sleep(until - world.chain.now + 1)
    refused = world.refusal_of(world.parties[3].account, world.submission(run, world.parties[3]))
    assert (refused.name, refused.arguments) == ("DeadlinePassed", (run, until))


def test_advance_moves_on_once_the_wait_is_over_and_not_before(world: World, run: int) -> None:
    until = aim_reached(world, run)
    act = world.rounds.functions.advance(run)
    refused = world.refusal_of(world.parties[0].account, act)
    assert (refused.name, refused.arguments) == ("DeadlineAhead", (run, until))
    world.chain.sleep(until - world.chain.now + 1)
    world.send(world.parties[0].account, act)
    state = world.state(run)
    assert (state["phase"], state["submitted"]) == (PROPOSING, 2)
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_stage_closes_at_once_when_the_last_straggler_has_come(world: World, run: int) -> None:
    aim_reached(world, run)
    for party in world.parties[2:]:
        world.submit(run, party)
    state = world.state(run)
    assert (state["phase"], state["submitted"]) == (PROPOSING, 4)
    assert state["since"] == world.chain.now
    world.propose(run, world.turns_party(run, world.parties), included=4)
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_stage_closes_when_those_that_are_waited_for_leave(world: World, run: int) -> None:
    aim_reached(world, run)
    withdraw(world, run, 2)
    assert world.state(run)["phase"] == COLLECTING
    withdraw(world, run, 3)
    assert world.state(run)["phase"] == PROPOSING


def test_the_aim_out_of_reach_leaves_the_stages_own_deadline(world: World, run: int) -> None:
    own = world.state(run)["deadline"]
    world.submit(run, world.parties[0])
    state = world.state(run)
    assert (state["expected"], state["deadline"]) == (2, own)
    world.advance(run)
    assert world.state(run)["attempt"] == 2
    assert world.state(run)["expected"] == 2


def test_a_wait_is_never_longer_than_the_stage(world: World) -> None:
    run = begun(world, targetUpdates=2, stragglerPercent=10_000)
    own = world.state(run)["deadline"]
    world.submit(run, world.parties[0])
    world.chain.sleep(TOOK)
    world.submit(run, world.parties[1])
    state = world.state(run)
    assert (state["phase"], state["deadline"]) == (COLLECTING, own)


def test_a_run_aborted_during_the_wait_has_no_final_round(world: World, run: int) -> None:
    aim_reached(world, run)
    world.send(world.researcher, world.rounds.functions.abort(run))
    state = world.state(run)
    assert (state["phase"], state["finalRounds"]) == (ABORTED, 0)
    assert (state["attested"], state["objected"]) == (0, 0)
    assert world.rounds.functions.settlementOf(run, 1).call() == bytes(32)
