"""Acts of masked attempts that come too early, too late or out of turn, by their blocks' time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fednet.domain.ledger import Inclusion, pack_inclusion
from tests.unit.audit.masking import Masking
from tests.unit.audit.test_masking import found, world_of

Play = Callable[[Masking], None]
OTHERS = (1, 2, 3, 4)
STAGE = 300
"""Seconds of every stage."""


def up_to_keys(world: Masking) -> None:
    world.players.advertise(*world.sites)
    world.players.close_keys()


def up_to_shares(world: Masking) -> None:
    up_to_keys(world)
    world.players.deal(*world.sites)


def late_key(world: Masking) -> None:
    world.players.advertise(*OTHERS)
    world.now += STAGE + 1
    world.players.advertise(5)


def keys_closed_early(world: Masking) -> None:
    world.players.advertise(*OTHERS)
    world.now += STAGE
    world.players.close_keys()


def late_dealing(world: Masking) -> None:
    up_to_keys(world)
    world.players.deal(*OTHERS)
    world.now += STAGE + 1
    world.players.deal(5)


def holding_before_all_dealt(world: Masking) -> None:
    up_to_keys(world)
    world.players.deal(*OTHERS)
    world.now += STAGE
    world.players.hold(1)


def late_holding(world: Masking) -> None:
    up_to_shares(world)
    world.players.hold(*OTHERS)
    world.now += STAGE + 1
    world.players.hold(5)


def update_before_all_hold(world: Masking) -> None:
    up_to_shares(world)
    world.players.hold(*OTHERS)
    world.now += STAGE
    world.submit(1)


def set_of_another(world: Masking) -> None:
    world.mask()
    world.now = world.anybodys - 1
    world.players.propose_set(2)  # the fourth one's turn


def set_that_calls_unavailable_before_the_reveal_is_over(world: Masking) -> None:
    world.mask()
    world.now = world.open_until - world.plan.timing.propose_seconds - 1
    world.players.propose_set(4, pack_inclusion({0: Inclusion.UNAVAILABLE}))


def late_set(world: Masking) -> None:
    world.mask()
    world.now = world.open_until + 1
    world.players.propose_set(4)


def second_set_while_the_first_may_be_affirmed(world: Masking) -> None:
    world.mask()
    world.now = world.anybodys
    world.players.propose_set(4)
    world.now += STAGE
    world.players.propose_set(5, number=2)


def second_set_of_another(world: Masking) -> None:
    world.mask()
    world.now = world.anybodys
    world.players.propose_set(4)
    world.now += STAGE + 1
    world.players.propose_set(2, number=2)  # the fifth one's turn, for a grace period


def late_affirmation(world: Masking) -> None:
    world.mask()
    world.now = world.anybodys
    world.players.propose_set(4)
    world.now += STAGE + 1
    world.players.affirm(1)


def late_disclosure(world: Masking) -> None:
    world.mask()
    world.freeze()
    world.now = world.open_until + 1
    world.players.disclose(world.frozen(), 1)


def disclosure_after_the_vote(world: Masking) -> None:
    world.collect()
    world.propose()
    frozen = world.frozen()
    world.now += world.plan.timing.attest_seconds + 1
    world.players.disclose(frozen, 5)


@pytest.mark.parametrize(
    ("play", "code", "check"),
    [
        (late_key, "late", 20),
        (keys_closed_early, "early", 20),
        (late_dealing, "late", 20),
        (holding_before_all_dealt, "early", 20),
        (late_holding, "late", 20),
        (update_before_all_hold, "early", 20),
        (set_of_another, "turn-of-another", 21),
        (set_that_calls_unavailable_before_the_reveal_is_over, "early", 20),
        (late_set, "late", 20),
        (second_set_while_the_first_may_be_affirmed, "early", 20),
        (second_set_of_another, "turn-of-another", 21),
        (late_affirmation, "late", 20),
        (late_disclosure, "late", 20),
        (disclosure_after_the_vote, "late", 20),
    ],
)
def test_act_at_a_time_that_the_contract_has_to_refuse_is_told(
    tmp_path: Path, play: Play, code: str, check: int
) -> None:
    away = {"unmasking": [5]} if play is disclosure_after_the_vote else {}
    world = world_of(tmp_path, away)
    play(world)
    by_the_clock = [each for each in found(world.audit()) if each[1] in (20, 21)]
    assert by_the_clock == [(code, check, None)]


@pytest.mark.parametrize("stage", ["keys", "shares", "holdings", "masked", "freezing", "unmasking"])
def test_attempt_that_waited_for_a_site_is_in_time(tmp_path: Path, stage: str) -> None:
    world = world_of(tmp_path, {stage: [4]})
    world.collect()
    world.propose()
    assert not [each for each in found(world.audit()) if each[1] in (20, 21)]
