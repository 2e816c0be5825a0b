"""Bring a run of the first three sites to a phase, as honest parties do."""

from __future__ import annotations

from tests.contracts.world import World


def to_proposing(world: World, run: int) -> None:
    for party in world.parties[:3]:
        world.submit(run, party)


def to_attesting(world: World, run: int, **changes: object) -> None:
    to_proposing(world, run)
    world.propose(run, world.turns_party(run, world.parties[:3]), **changes)


def to_final(world: World, run: int, **changes: object) -> None:
    to_attesting(world, run, **changes)
    for party in world.parties[:2]:
        world.attest(run, party)


def finish_round(world: World, run: int) -> None:
    to_final(world, run)
    world.go_on(run)
