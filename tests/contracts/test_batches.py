"""Many updates in one transaction: what counts, what closes, who may batch.

Four sites; the first aggregates, like all of them.
"""

from __future__ import annotations

import pytest

from tests.contracts.batching import batch, rows, submit_batch, words
from tests.contracts.chain import (
    AGGREGATOR,
    COLLECTING,
    PROPOSING,
    SITE,
    decode_log,
    digest,
    running_hash,
)
from tests.contracts.world import World

ZERO = bytes(32)


@pytest.fixture
def run(world: World) -> int:
    return begun(world)


def begun(world: World, **changes: int) -> int:
    run = world.open(minimumSites=4, targetSites=4, **changes)
    for party in world.parties:
        world.consent(run, party)
    return run


def assert_hash_folds(world: World, run: int) -> None:
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def withdraw(world: World, run: int, index: int) -> None:
    party = world.parties[index]
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))


def test_one_batch_of_all_closes_the_stage_and_carries_every_commitment(
    world: World, run: int
) -> None:
    receipt = submit_batch(world, run, world.parties[0], world.parties)
    (found,) = (decode_log(log) for log in receipt["logs"])
    name, fields = found
    assert name == "UpdatesBatched"
    assert fields["positions"] == (0b1111,)
    assert len(fields["rows"]) == 4 * 37
    for at, party in enumerate(world.parties):
        row = fields["rows"][37 * at : 37 * at + 37]
        assert row[:32] == digest("update", run, 1, party.site)
        assert int.from_bytes(row[32:]) == 100
        assert world.member(run, party)["submittedRound"] == 1
    assert (fields["site"], fields["attempt"]) == (world.parties[0].site, 1)
    assert fields["sheet"] == digest("sheet", run, 1)
    assert fields["sheetLocator"] == digest("sheet locator")
    state = world.state(run)
    assert (state["phase"], state["submitted"]) == (PROPOSING, 4)
    assert_hash_folds(world, run)


def test_a_site_left_out_submits_by_itself(world: World, run: int) -> None:
    submit_batch(world, run, world.parties[0], world.parties[:3])
    assert world.state(run)["phase"] == COLLECTING
    world.submit(run, world.parties[3])
    state = world.state(run)
    assert (state["phase"], state["submitted"]) == (PROPOSING, 4)
    assert_hash_folds(world, run)


def test_nobody_counts_twice(world: World, run: int) -> None:
    world.submit(run, world.parties[1])
    submit_batch(world, run, world.parties[0], world.parties[:2])
    assert world.state(run)["submitted"] == 2
    submit_batch(world, run, world.parties[2], world.parties[:3])
    assert world.state(run)["submitted"] == 3
    again = batch(world, run, world.parties[3], world.parties[:3])
    refused = world.refusal_of(world.parties[3].account, again)
    assert (refused.name, refused.arguments) == ("BatchWithoutEffect", (run,))
    refused = world.refusal_of(
        world.parties[1].account, world.submission(run, world.parties[1], weight=2)
    )
    assert refused.name == "AlreadySubmitted"
    assert_hash_folds(world, run)


def test_a_sites_own_submission_stands_in_place_of_its_row(world: World, run: int) -> None:
    forged = {1: (digest("forged"), 100), 2: (digest("forged too"), 100)}
    submit_batch(world, run, world.parties[0], [], positions=words([1, 2]), rows=rows(forged))
    world.submit(run, world.parties[1])
    assert world.state(run)["submitted"] == 2
    refused = world.refusal_of(
        world.parties[1].account, world.submission(run, world.parties[1], weight=2)
    )
    assert refused.name == "AlreadySubmitted"


def test_a_row_counts_only_where_a_consent_stands(world: World, run: int) -> None:
    withdraw(world, run, 3)
    positions = words([0, 1, 2, 3])
    entries = rows({at: (digest(at), 100) for at in range(4)})
    submit_batch(world, run, world.parties[0], [], positions=positions, rows=entries)
    state = world.state(run)
    assert (state["phase"], state["submitted"]) == (PROPOSING, 3)
    assert world.member(run, world.parties[3])["submittedRound"] == 0


def test_a_batched_site_that_leaves_is_not_waited_for_twice_and_may_still_propose(
    world: World, run: int
) -> None:
    submit_batch(world, run, world.parties[0], world.parties[:2])
    withdraw(world, run, 0)
    assert (world.state(run)["expected"], world.state(run)["submitted"]) == (4, 2)
    withdraw(world, run, 3)
    assert world.state(run)["expected"] == 3
    world.submit(run, world.parties[2])
    assert world.state(run)["phase"] == PROPOSING
    world.chain.sleep(151)
    world.propose(run, world.parties[0])


def test_a_batch_beyond_the_target_closes_the_stage(world: World) -> None:
    run = begun(world, targetUpdates=2)
    submit_batch(world, run, world.parties[0], world.parties)
    state = world.state(run)
    assert (state["phase"], state["submitted"], state["expected"]) == (PROPOSING, 4, 2)
    world.propose(run, world.turns_party(run, world.parties), included=4)
    assert_hash_folds(world, run)


def test_a_batch_that_closes_nothing_leaves_the_rest_to_the_deadline(
    world: World, run: int
) -> None:
    submit_batch(world, run, world.parties[0], world.parties[:2])
    world.advance(run)
    assert (world.state(run)["phase"], world.state(run)["submitted"]) == (PROPOSING, 2)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sheet": ZERO}, ("CommitmentZero", ())),
        ({"sheetLocator": ZERO}, ("CommitmentZero", ())),
        ({"round": 2}, ("PlaceWrong", (1, 1, 0))),
        ({"attempt": 2}, ("PlaceWrong", (1, 1, 0))),
        ({"rows": b""}, ("BatchMalformed", (4, 0))),
        ({"rows": bytes(37 * 4 + 1)}, ("BatchMalformed", (4, 149))),
        ({"rows": bytes(37 * 5)}, ("BatchMalformed", (4, 185))),
        ({"positions": [0b11111]}, ("BatchMalformed", (0, 148))),
        ({"positions": [1 << 216]}, ("BatchMalformed", (0, 148))),
        ({"positions": [1 << 255]}, ("BatchMalformed", (0, 148))),
        ({"positions": [0b1111, 1]}, ("BatchMalformed", (4, 148))),
        ({"positions": [], "rows": b""}, ("BatchWithoutEffect", ())),
    ],
)
def test_a_batch_reverts(
    world: World, run: int, changes: dict[str, object], error: tuple[str, tuple[int, ...]]
) -> None:
    refused = world.refusal_of(
        world.parties[0].account, batch(world, run, world.parties[0], world.parties, **changes)
    )
    name, arguments = error
    expected = arguments if name == "CommitmentZero" else (run, *arguments)
    assert (refused.name, refused.arguments) == (name, expected)


def test_only_an_aggregators_node_in_the_cohort_batches_in_time(world: World) -> None:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    first, outside = world.parties[0], world.parties[3]
    refused = world.refusal_of(world.outsider, batch(world, run, first, world.parties[:3]))
    assert refused.name == "AccountNotOfSite"
    refused = world.refusal_of(outside.account, batch(world, run, outside, world.parties[:3]))
    assert refused.name == "ConsentMissing"
    world.consent(run, outside)
    refused = world.refusal_of(outside.account, batch(world, run, outside, world.parties[:3]))
    assert refused.name == "SiteNotInCohort"
    world.send(
        world.operator, world.registry.functions.setAccountRoles(first.site, first.account, SITE)
    )
    refused = world.refusal_of(first.account, batch(world, run, first, world.parties[:3]))
    assert (refused.name, refused.arguments[1]) == ("AccountRoleMissing", AGGREGATOR)
    second = world.parties[1]
    world.chain.sleep(1_001)
    refused = world.refusal_of(second.account, batch(world, run, second, world.parties[:3]))
    assert refused.name == "DeadlinePassed"
    submitted = world.open(minimumSites=2, targetSites=2)
    for party in world.parties[1:3]:
        world.consent(submitted, party)
    submit_batch(world, submitted, second, world.parties[1:3])
    refused = world.refusal_of(second.account, batch(world, submitted, second, world.parties[1:3]))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (submitted, PROPOSING))


def test_after_an_attempt_that_failed_only_the_site_whose_turn_it_is_batches(
    world: World, run: int
) -> None:
    submit_batch(world, run, world.parties[0], world.parties)
    world.advance(run)
    state = world.state(run)
    assert (state["phase"], state["attempt"], state["submitted"]) == (COLLECTING, 2, 0)
    turn = (1 + 2) % 4
    for index in set(range(4)) - {turn}:
        party = world.parties[index]
        refused = world.refusal_of(party.account, batch(world, run, party, world.parties))
        assert (refused.name, refused.arguments) == ("TurnOfAnother", (run, party.site, turn))
    submit_batch(world, run, world.parties[turn], world.parties)
    assert world.state(run)["phase"] == PROPOSING


def test_the_next_round_starts_with_no_position_taken(world: World, run: int) -> None:
    for number in (1, 2):
        submit_batch(world, run, world.parties[0], world.parties)
        world.propose(run, world.turns_party(run, world.parties), creditsTotal=1_000 * number)
        for party in world.parties[:3]:
            world.attest(run, party)
        world.go_on(run)
    assert world.state(run)["finalRounds"] == 2
    assert_hash_folds(world, run)


def test_positions_of_a_second_word_count(world: World) -> None:
    # A site that comes back after an attempt began gets another position, so rosters grow.
    run = begun(world, maximumSites=220, maxAttempts=255)
    for _ in range(54):
        for index, party in enumerate(world.parties):
            withdraw(world, run, index)
            consent = world.rounds.functions.consent(run, party.site, party.grants[run])
            world.send(party.account, consent)
        world.advance(run)
    positions = [world.member(run, party)["position"] for party in world.parties]
    assert positions == [216, 217, 218, 219]
    for party in world.parties:
        world.submit(run, party)
    world.chain.sleep(151)
    world.propose(run, world.parties[0])
    for party in world.parties[:3]:
        world.attest(run, party)
    world.go_on(run)
    submit_batch(world, run, world.parties[0], world.parties)
    assert (world.state(run)["phase"], world.state(run)["submitted"]) == (PROPOSING, 4)
    assert_hash_folds(world, run)
