"""Masked rounds: who may submit, which set is frozen, and that proposals count this one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.chain import ATTESTING, COLLECTING, FINAL, PROPOSING, Refused
from tests.contracts.masking import (
    AWAY_FIRST,
    BAD_FIRST,
    FREEZING,
    HOLDINGS,
    KEYS,
    MASKED,
    UNMASKING,
    MaskedRun,
)
from tests.contracts.world import PARAMETERS, World

ZERO = bytes(32)
INVALID = {"included": 3, "invalid": 1, "inclusion": BAD_FIRST}


@pytest.fixture
def run(world: World) -> MaskedRun:
    return MaskedRun(world)


def test_masked_round_becomes_final_and_the_next_begins_with_keys(run: MaskedRun) -> None:
    world = run.world
    run.to_unmasking()
    world.propose(run.run, world.turns_party(run.run, run.parties))
    for party in run.parties[:3]:
        world.attest(run.run, party)
    assert world.state(run.run)["phase"] == FINAL
    assert run.stage == 0
    world.go_on(run.run)
    assert (run.state["round"], run.stage) == (2, KEYS)
    run.to_unmasking()
    assert run.stage == UNMASKING


def test_only_sites_that_hold_shares_submit_once_the_holdings_are_closed(run: MaskedRun) -> None:
    world, three = run.world, run.parties[:3]
    first, last = run.parties[0], run.parties[3]
    assert run.refused(first, world.submission(run.run, first)) == ("StageWrong", (run.run, KEYS))
    run.to_holdings(three)
    run.do(first, run.holding(first))
    refused = run.refused(first, world.submission(run.run, first))
    assert refused == ("StageWrong", (run.run, HOLDINGS))
    for party in three[1:]:
        run.do(party, run.holding(party))
    refused = run.refused(last, world.submission(run.run, last))
    assert refused == ("HoldingMissing", (run.run, last.site))
    for party in three:
        assert world.state(run.run)["phase"] == COLLECTING
        world.submit(run.run, party)
    # Nobody waits for the fourth, which may submit no more.
    assert world.state(run.run)["phase"] == PROPOSING
    assert run.stage == FREEZING


def test_too_few_holders_end_the_attempt_with_nothing_unmasked(world: World) -> None:
    run = MaskedRun(world, minimumUpdates=3)
    run.to_masked(run.parties[:2])
    for party in run.parties[:2]:
        world.submit(run.run, party)
    assert run.stage == MASKED
    world.advance(run.run)
    assert (run.state["attempt"], run.stage) == (2, KEYS)


def test_late_and_second_submissions_are_the_module_s_to_refuse(run: MaskedRun) -> None:
    world, first = run.world, run.parties[0]
    run.to_masked()
    world.submit(run.run, first)
    assert run.refused(first, world.submission(run.run, first))[0] == "AlreadySubmitted"
    second = run.parties[1]
    run.pass_stage()
    assert run.refused(second, world.submission(run.run, second))[0] == "DeadlinePassed"


def test_set_is_the_turn_s_until_the_grace_period_is_over(run: MaskedRun) -> None:
    run.to_freezing()
    turn = run.turn(1)
    other = next(each for each in run.parties if each is not turn)
    refused = run.refused(other, run.set(other))
    position = run.world.member(run.run, turn)["position"]
    assert refused == ("TurnOfAnother", (run.run, other.site, position))
    reveal = PARAMETERS["revealSeconds"]
    run.world.chain.sleep(reveal + PARAMETERS["graceSeconds"] - 10)
    assert run.refused(other, run.set(other))[0] == "TurnOfAnother"
    run.world.chain.sleep(10)
    run.do(other, run.set(other))


def test_bytes_are_called_unavailable_after_the_reveal_only(run: MaskedRun) -> None:
    world = run.world
    run.to_freezing()
    turn = run.turn(1)
    end = world.state(run.run)["deadline"] - PARAMETERS["proposeSeconds"]
    assert run.refused(turn, run.set(turn, AWAY_FIRST)) == ("RevealUnfinished", (run.run, end))
    assert run.refused(turn, run.set(turn, b"\xc0")) == ("RevealUnfinished", (run.run, end))
    world.chain.sleep(end - world.chain.now)
    run.do(turn, run.set(turn, AWAY_FIRST))


def test_both_bits_of_two_positions_call_nothing_unavailable(run: MaskedRun) -> None:
    run.to_freezing()
    turn = run.turn(1)
    # The upper bit of one position and the lower one of the next; members refuse the 1.
    run.do(turn, run.set(turn, b"\x06"))


def test_another_set_follows_when_the_first_found_no_quorum(run: MaskedRun) -> None:
    run.to_freezing()
    turn = run.turn(1)
    run.do(turn, run.set(turn, BAD_FIRST))
    first, second, third = run.parties[:3]
    for party in (first, second):
        run.do(party, run.affirmation(party))
    end = run.state["deadline"]
    assert run.refused(turn, run.set(turn)) == ("SetPending", (run.run, 1, end))
    run.pass_stage()
    assert run.refused(third, run.affirmation(third)) == ("DeadlinePassed", (run.run, end))
    assert run.state["deadline"] == run.world.state(run.run)["deadline"]
    following = run.turn(2)
    assert following is not turn
    assert run.refused(turn, run.set(turn))[0] == "TurnOfAnother"
    run.do(following, run.set(following))
    assert (run.state["number"], run.state["affirmed"]) == (2, 0)
    assert run.refused(first, run.affirmation(first)) == ("SetNotAtHand", (run.run, 2))
    for party in (first, second):
        run.do(party, run.affirmation(party, number=2))
    assert run.stage == FREEZING
    run.do(third, run.affirmation(third, number=2))
    assert run.state["frozen"] == run.world.chain.w3.keccak(b"")


def test_later_set_is_anybody_s_after_its_own_grace_period(run: MaskedRun) -> None:
    run.to_freezing()
    turn = run.turn(1)
    run.do(turn, run.set(turn))
    run.pass_stage()
    run.world.chain.sleep(PARAMETERS["graceSeconds"])
    run.do(turn, run.set(turn))
    assert run.state["number"] == 2


def test_set_is_affirmed_once_by_members_and_frozen_for_good(run: MaskedRun) -> None:
    run.to_freezing()
    turn, (first, second, third, fourth) = run.turn(1), run.parties
    run.do(turn, run.set(turn))
    run.do(first, run.affirmation(first))
    again = run.refused(first, run.affirmation(first))
    assert again == ("AlreadyRecorded", (run.run, first.site))
    assert run.refused(second, run.affirmation(first))[0] == "AccountNotOfSite"
    stranger = run.world.join("a stranger")
    refused = run.refused(stranger, run.affirmation(stranger))
    assert refused == ("SiteNotInCohort", (run.run, stranger.site))
    for party in (second, third):
        run.do(party, run.affirmation(party))
    assert run.refused(fourth, run.affirmation(fourth)) == ("StageWrong", (run.run, UNMASKING))
    run.world.chain.sleep(200)
    assert run.refused(turn, run.set(turn, BAD_FIRST)) == ("StageWrong", (run.run, UNMASKING))


def test_aggregators_of_the_cohort_alone_propose_sets(run: MaskedRun) -> None:
    world = run.world
    run.to_freezing()
    turn = run.turn(1)
    assert run.refused(run.parties[0], run.set(turn))[0] == "AccountNotOfSite"
    assert run.refused(turn, run.set(turn, round=2)) == ("PlaceWrong", (run.run, 1, 1, 1))
    stranger = world.join("a stranger")
    refused = run.refused(stranger, run.set(stranger))
    assert refused == ("SiteNotInCohort", (run.run, stranger.site))
    roles = world.registry.functions.setAccountRoles(turn.site, turn.account, 2)
    world.send(world.operator, roles)
    assert run.refused(turn, run.set(turn))[0] == "AccountRoleMissing"


def test_proposal_counts_exactly_the_frozen_set(run: MaskedRun) -> None:
    world = run.world
    run.to_freezing()
    party = world.turns_party(run.run, run.parties)
    refused = run.refused(party, world.proposal(run.run, party))
    assert refused == ("InclusionNotFrozen", (run.run, ZERO))
    run.do(run.turn(1), run.set(run.turn(1), BAD_FIRST))
    refused = run.refused(party, world.proposal(run.run, party, **INVALID))
    assert refused == ("InclusionNotFrozen", (run.run, ZERO))
    for each in run.parties[:3]:
        run.do(each, run.affirmation(each))
    frozen = world.chain.w3.keccak(BAD_FIRST)
    for other in (b"", b"\x02\x00", b"\x08"):
        act = world.proposal(run.run, party, **(INVALID | {"inclusion": other}))
        assert run.refused(party, act) == ("InclusionNotFrozen", (run.run, frozen))
    world.propose(run.run, party, **INVALID)
    assert world.state(run.run)["phase"] == ATTESTING


def test_later_proposals_of_the_attempt_are_for_the_same_set(run: MaskedRun) -> None:
    world = run.world
    run.to_unmasking(BAD_FIRST)
    world.propose(run.run, world.turns_party(run.run, run.parties), **INVALID)
    for party in run.parties[:2]:
        world.object_to(run.run, party)
    assert (world.state(run.run)["proposal"], run.stage) == (2, UNMASKING)
    turn = world.turns_party(run.run, run.parties)
    assert run.refused(turn, run.set(turn)) == ("StageWrong", (run.run, UNMASKING))
    refused = run.refused(turn, world.proposal(run.run, turn))
    assert refused == ("InclusionNotFrozen", (run.run, world.chain.w3.keccak(BAD_FIRST)))
    world.propose(run.run, turn, **INVALID)


def test_shares_are_disclosed_once_by_those_who_hold_them(run: MaskedRun) -> None:
    three = run.parties[:3]
    run.to_freezing(three)
    turn = run.turn(1)
    run.do(turn, run.set(turn))
    for party in three:
        run.do(party, run.affirmation(party))
    first, last = run.parties[0], run.parties[3]
    assert run.refused(last, run.disclosure(last)) == ("HoldingMissing", (run.run, last.site))
    assert run.refused(last, run.disclosure(first))[0] == "AccountNotOfSite"
    refused = run.refused(first, run.disclosure(first, attempt=2))
    assert refused == ("PlaceWrong", (run.run, 1, 1, 1))
    run.do(first, run.disclosure(first))
    again = run.refused(first, run.disclosure(first))
    assert again == ("AlreadyRecorded", (run.run, first.site))


def test_shares_may_come_while_members_vote_and_not_after(run: MaskedRun) -> None:
    world = run.world
    run.to_unmasking()
    first, second, third = run.parties[:3]
    world.send(second.account, world.rounds.functions.withdraw(run.run, second.site))
    run.do(second, run.disclosure(second))
    world.propose(run.run, world.turns_party(run.run, run.parties))
    run.do(first, run.disclosure(first))
    end = world.state(run.run)["deadline"]
    world.chain.sleep(end - world.chain.now + 1)
    assert run.refused(third, run.disclosure(third)) == ("DeadlinePassed", (run.run, end))


def test_what_was_frozen_in_one_attempt_counts_in_no_other(run: MaskedRun) -> None:
    world, first = run.world, run.parties[0]
    run.to_unmasking()
    world.advance(run.run)
    old = {"attempt": 1}
    assert run.refused(first, run.disclosure(first, **old)) == ("PhaseWrong", (run.run, COLLECTING))
    run.to_freezing()
    assert run.state["frozen"] == ZERO
    refused = run.refused(first, run.disclosure(first, **old))
    assert refused == ("PlaceWrong", (run.run, 1, 2, 1))
    party = world.turns_party(run.run, run.parties)
    refused = run.refused(party, world.proposal(run.run, party))
    assert refused == ("InclusionNotFrozen", (run.run, ZERO))
    frozen = run.acts.requireFrozen(run.run, 1 << 8 | 1, world.chain.w3.keccak(b""))
    assert run.refused(first, frozen) == ("InclusionNotFrozen", (run.run, ZERO))


@pytest.mark.parametrize(
    ("times", "changes", "error"),
    [
        ((0, 200, 200, 100), {}, ("keySeconds", 0)),
        ((200, 0, 200, 100), {}, ("shareSeconds", 0)),
        ((200, 200, 0, 100), {}, ("holdingSeconds", 0)),
        ((200, 200, 200, 0), {}, ("freezeSeconds", 0)),
        ((400, 300, 300, 100), {}, ("collectSeconds", 1_000)),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1, 1), {}, ("collectSeconds", 1_000)),
        ((200, 200, 200, 500), {}, ("proposeSeconds", 500)),
        (
            (200, 200, 200, 100),
            {"targetUpdates": 3, "stragglerPercent": 50},
            ("stragglerPercent", 50),
        ),
    ],
)
def test_stages_fit_into_the_phases(
    world: World, times: tuple[int, ...], changes: dict[str, int], error: tuple[str, int]
) -> None:
    with pytest.raises(Refused) as caught:
        world.open(times=times, **changes)
    assert caught.value.name == "ParameterInvalid"
    assert caught.value.arguments == (error[0].encode().ljust(32, b"\0"), error[1])


def test_gas_of_an_attempt_is_flat_over_rounds(world: World) -> None:
    run, gas, first = MaskedRun(world, rounds=4), [], world.parties[0]

    def used(act: Any) -> int:
        return int(world.send(first.account, act)["gasUsed"], 16)

    for number in range(1, 5):
        advertised = used(run.keys(first))
        for party in run.parties[1:]:
            run.do(party, run.keys(party))
        run.close()
        dealt = used(run.dealing(first))
        for party in run.parties[1:]:
            run.do(party, run.dealing(party))
        held = used(run.holding(first))
        for party in run.parties[1:]:
            run.do(party, run.holding(party))
        for party in run.parties:
            world.submit(run.run, party)
        turn = run.turn(1)
        run.do(turn, run.set(turn))
        affirmed = used(run.affirmation(first))
        for party in run.parties[1:3]:
            run.do(party, run.affirmation(party))
        gas.append([advertised, dealt, held, affirmed, used(run.disclosure(first))])
        world.propose(run.run, world.turns_party(run.run, run.parties))
        for party in run.parties:
            world.attest(run.run, party)
        if number < 4:
            world.go_on(run.run)
    assert gas[1:] == gas[1:2] * 3
    assert max(gas[-1]) < 100_000
