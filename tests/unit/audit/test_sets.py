"""Sets of masked updates that the bytes contradict: who proposed them, who affirmed them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fednet.domain.ledger import Inclusion, pack_inclusion
from tests.unit.audit.masking import Masking
from tests.unit.audit.test_masking import found, world_of

FALSE = {("set-false", 33, 2), *(("affirmation-false", 33, site) for site in (1, 3, 4, 5))}


def frozen_with(world: Masking, inclusion: dict[int, Inclusion], rubbish_of: int = 0) -> None:
    if rubbish_of:
        world.mask(rubbish_of, data=b"rubbish")
    else:
        world.mask()
    world.freeze(pack_inclusion(inclusion))


def told(world: Masking) -> set[tuple[str, int, int | None]]:
    """List what is found, beside that the round is still open."""
    return set(found(world.audit())) - {("nothing-to-verify", 17, None)}


def messages(world: Masking, code: str) -> list[str]:
    return [each.message for each in world.audit().findings if each.code == code]


def test_set_that_calls_a_valid_update_invalid_accuses_all_who_said_so(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    frozen_with(world, {3: Inclusion.INVALID})
    assert told(world) == FALSE
    assert messages(world, "set-false") == [
        "calls the update of site 4 invalid, which passes the intake"
    ]


def test_set_that_counts_what_is_no_update_accuses_all_who_said_so(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    frozen_with(world, {}, rubbish_of=5)
    assert told(world) == FALSE
    assert messages(world, "set-false") == [
        "counts the update of site 5, whose bytes are none (malformed)"
    ]


@pytest.mark.parametrize(
    ("inclusion", "rubbish_of"),
    [
        ({}, 0),
        ({4: Inclusion.INVALID}, 5),
        # That it was not there, nobody can disprove.
        ({4: Inclusion.UNAVAILABLE}, 0),
        ({4: Inclusion.UNAVAILABLE}, 5),
    ],
)
def test_set_that_the_bytes_bear_out_accuses_nobody(
    tmp_path: Path, inclusion: dict[int, Inclusion], rubbish_of: int
) -> None:
    world = world_of(tmp_path)
    frozen_with(world, inclusion, rubbish_of)
    assert told(world) == set()


def test_set_of_which_bytes_are_gone_accuses_nobody(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.mask()
    gone = next(each for each in world.submissions() if each.site == 4)
    world.store.erase(gone.commitment, [gone.locator])
    world.freeze(pack_inclusion({3: Inclusion.INVALID}))
    assert told(world) == set()


def test_set_of_fewer_than_the_masks_need_accuses_all_who_said_so(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    frozen_with(world, {3: Inclusion.UNAVAILABLE, 4: Inclusion.UNAVAILABLE})
    assert told(world) == FALSE
    assert "too few updates count" in messages(world, "set-false")[0]


def test_set_whose_bytes_fit_no_submissions_accuses_all_who_said_so(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"masked": [5]})
    frozen_with(world, {4: Inclusion.INVALID})
    accused = {("set-false", 33, 2), *(("affirmation-false", 33, site) for site in (1, 3, 4))}
    assert told(world) == accused
    assert messages(world, "set-false") == ["its bytes fit no set of the submissions"]


def test_false_set_that_nobody_affirmed_accuses_its_author_where_a_right_one_followed(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path)
    world.mask()
    world.players.propose_set(4, pack_inclusion({0: Inclusion.INVALID}))
    world.now += world.plan.masking.freeze_seconds + world.plan.timing.grace_seconds + 1
    world.players.propose_set(2, number=2)
    world.players.affirm(*world.sites, number=2)
    world.players.freeze(2)
    world.unmask()
    world.propose()
    world.attest(*world.sites)
    world.finalize(stay=True)
    report = world.audit()
    assert found(report) == [("set-false", 33, 4)]
    assert report.rounds[0].verdict.value == "verified"
