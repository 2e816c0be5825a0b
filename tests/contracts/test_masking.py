"""The ledger of masked rounds: stages in their order, in time, once a site, by whom it is due."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.chain import (
    COLLECTING,
    PROPOSING,
    digest,
    running_hash,
)
from tests.contracts.masking import (
    BAD_FIRST,
    FREEZING,
    HOLDINGS,
    KEYS,
    MASKED,
    NONE,
    SHARES,
    UNMASKING,
    MaskedRun,
)
from tests.contracts.world import Party, World

ZERO = bytes(32)
STAGED = ("keys", "dealing", "holding")
"""Acts of the three stages before masked updates, by how the helper names them."""


@pytest.fixture
def run(world: World) -> MaskedRun:
    return MaskedRun(world)


def to_stage(run: MaskedRun, act: str) -> None:
    """Go on until an act is due."""
    {"keys": lambda: None, "dealing": run.to_shares, "holding": run.to_holdings}[act]()


def test_an_attempt_begins_with_the_keys(run: MaskedRun) -> None:
    module = run.world.state(run.run)
    state = run.state
    assert (state["round"], state["attempt"], state["stage"]) == (1, 1, KEYS)
    assert state["deadline"] == module["since"] + 200
    assert not any(state[name] for name in ("advertised", "dealt", "held", "affirmed", "number"))
    assert (state["frozen"], state["seedBlock"]) == (ZERO, 0)
    assert run.acts.timesOf(run.run).call() == (200, 200, 200, 100)


def test_each_record_says_who_did_what(run: MaskedRun) -> None:
    first, at = run.parties[0], {**run.place, "site": run.parties[0].site}
    assert run.do(first, run.keys(first)) == [
        (
            "KeysAdvertised",
            at
            | {"maskKey": digest("mask", first.site), "channelKey": digest("channel", first.site)},
        )
    ]
    for party in run.parties[1:]:
        run.do(party, run.keys(party))
    assert run.close() == [("KeysClosed", run.place | {"advertised": 4})]
    assert run.state["seedBlock"] == run.world.chain.w3.eth.block_number
    blob = {
        "commitment": digest("dealing", first.site),
        "locator": digest("at", "dealing", first.site),
    }
    assert run.do(first, run.dealing(first)) == [("SharesDealt", at | blob)]
    for party in run.parties[1:]:
        run.do(party, run.dealing(party))
    held = b"\x05"
    assert run.do(first, run.holding(first, holding=held)) == [
        ("SharesHeld", at | {"holding": held})
    ]
    for party in run.parties[1:]:
        run.do(party, run.holding(party))
    assert [run.state[name] for name in ("advertised", "dealt", "held")] == [4, 4, 4]


def test_set_is_proposed_affirmed_and_frozen(run: MaskedRun) -> None:
    run.to_freezing()
    turn = run.turn(1)
    at, inclusion = run.place, BAD_FIRST
    proposed = run.do(turn, run.set(turn, inclusion))
    assert proposed == [
        ("SetProposed", at | {"site": turn.site, "number": 1, "inclusion": inclusion})
    ]
    for party in run.parties[:2]:
        assert run.do(party, run.affirmation(party)) == [
            ("SetAffirmed", at | {"site": party.site, "number": 1})
        ]
    assert run.state["frozen"] == ZERO
    third = run.parties[2]
    assert run.do(third, run.affirmation(third)) == [
        ("SetAffirmed", at | {"site": third.site, "number": 1}),
        ("SetFrozen", at | {"number": 1}),
    ]
    state = run.state
    assert (state["stage"], state["affirmed"], state["number"]) == (UNMASKING, 3, 1)
    assert state["frozen"] == run.world.chain.w3.keccak(inclusion)
    disclosed = run.do(third, run.disclosure(third))
    blob = {
        "commitment": digest("disclosure", third.site),
        "locator": digest("at", "disclosure", third.site),
    }
    assert disclosed == [("SharesDisclosed", at | {"site": third.site} | blob)]


def test_running_hash_and_count_cover_every_record_in_slot_zero(run: MaskedRun) -> None:
    world, masking = run.world, run.world.masking
    run.to_unmasking(BAD_FIRST)
    run.do(run.parties[0], run.disclosure(run.parties[0]))
    logs = world.chain.rpc("eth_getLogs", {"fromBlock": "0x0", "address": masking.address})
    # Keys, closing, dealings, holdings; a set, three affirmations, freezing; a disclosure.
    assert run.acts.recordCount().call() == len(logs) == 4 + 1 + 4 + 4 + 1 + 3 + 1 + 1
    assert run.acts.runningHash().call() == running_hash(logs)
    slot = world.chain.rpc("eth_getStorageAt", masking.address, "0x0", "latest")
    assert bytes.fromhex(slot[2:]) == running_hash(logs)[:26] + len(logs).to_bytes(6, "big")
    assert running_hash(world.logs_of(run.run)) == (
        world.rounds.functions.runningHashOf(run.run).call()
    )


def test_stages_close_as_soon_as_all_have_acted(run: MaskedRun) -> None:
    run.to_shares()
    assert run.stage == SHARES
    assert run.state["deadline"] == run.world.chain.now + 200
    for party in run.parties:
        run.do(party, run.dealing(party))
    assert run.stage == HOLDINGS
    assert run.state["deadline"] == run.world.chain.now + 200
    for party in run.parties:
        run.do(party, run.holding(party))
    assert run.stage == MASKED
    assert run.state["deadline"] == run.world.state(run.run)["deadline"]
    assert run.world.state(run.run)["phase"] == COLLECTING


def test_stages_close_without_those_who_are_late(run: MaskedRun) -> None:
    three, two = run.parties[:3], run.parties[:2]
    run.to_shares(three)
    for party in two:
        run.do(party, run.dealing(party))
    end = run.state["deadline"]
    run.pass_stage()
    assert run.stage == HOLDINGS
    assert run.state["deadline"] == end + 200
    late = run.parties[2]
    assert run.refused(late, run.dealing(late)) == ("StageWrong", (run.run, HOLDINGS))
    run.do(two[0], run.holding(two[0]))
    run.pass_stage()
    assert run.stage == MASKED
    assert run.refused(two[1], run.holding(two[1])) == ("StageWrong", (run.run, MASKED))
    assert [run.state[name] for name in ("advertised", "dealt", "held")] == [3, 2, 1]


def test_two_stages_in_which_nobody_acted_are_over_at_once(run: MaskedRun) -> None:
    run.to_shares()
    run.world.chain.sleep(401)
    assert run.stage == MASKED
    first = run.parties[0]
    assert run.refused(first, run.holding(first)) == ("StageWrong", (run.run, MASKED))


def test_keys_are_closed_by_a_member_and_not_before_their_time(run: MaskedRun) -> None:
    first, last = run.parties[0], run.parties[3]
    for party in run.parties[:3]:
        run.do(party, run.keys(party))
    closing = run.acts.closeKeys(run.run)
    assert run.refused(first, closing) == ("DeadlineAhead", (run.run, run.state["deadline"]))
    stranger = Party(0, run.world.outsider)
    assert run.refused(stranger, closing) == (
        "CallerNotMember", (run.run, run.world.outsider.lower()),
    )  # fmt: skip
    end = run.state["deadline"]
    run.pass_stage()
    assert run.stage == KEYS
    assert run.refused(last, run.keys(last)) == ("DeadlinePassed", (run.run, end))
    assert run.do(last, closing) == [("KeysClosed", run.place | {"advertised": 3})]
    assert run.refused(first, closing) == ("StageWrong", (run.run, SHARES))
    assert run.refused(last, run.dealing(last)) == ("KeysMissing", (run.run, last.site))


def test_site_that_dealt_nothing_holds_nothing(run: MaskedRun) -> None:
    run.to_shares()
    for party in run.parties[:3]:
        run.do(party, run.dealing(party))
    run.pass_stage()
    last = run.parties[3]
    assert run.refused(last, run.holding(last)) == ("DealingMissing", (run.run, last.site))


@pytest.mark.parametrize("name", STAGED)
def test_an_act_is_done_once_and_by_the_site_itself(run: MaskedRun, name: str) -> None:
    to_stage(run, name)
    act, (first, second) = getattr(run, name), run.parties[:2]
    assert run.refused(second, act(first))[0] == "AccountNotOfSite"
    run.do(first, act(first))
    assert run.refused(first, act(first)) == ("AlreadyRecorded", (run.run, first.site))


@pytest.mark.parametrize("name", STAGED)
def test_an_act_of_another_place_or_stage_is_refused(run: MaskedRun, name: str) -> None:
    to_stage(run, name)
    act, first = getattr(run, name), run.parties[0]
    for changes in ({"round": 2}, {"round": 0}, {"attempt": 2}, {"attempt": 0}):
        assert run.refused(first, act(first, **changes)) == ("PlaceWrong", (run.run, 1, 1, 0))
    for other in STAGED:
        if other != name:
            refused = run.refused(first, getattr(run, other)(first))
            assert refused == ("StageWrong", (run.run, STAGED.index(name) + KEYS))
    assert run.refused(first, act(first, run=99)) == ("RunUnknown", (99,))


@pytest.mark.parametrize("name", STAGED)
def test_who_may_not_act_is_refused(run: MaskedRun, name: str) -> None:
    to_stage(run, name)
    world, act, first = run.world, getattr(run, name), run.parties[0]
    world.send(world.operator, world.registry.functions.suspend(first.site))
    assert run.refused(first, act(first))[0] == "SiteStandingWrong"
    world.send(world.operator, world.registry.functions.reinstate(first.site))
    world.send(first.account, world.rounds.functions.withdraw(run.run, first.site))
    assert run.refused(first, act(first)) == ("ConsentMissing", (run.run, first.site))
    world.consent(run.run, first)
    assert run.refused(first, act(first)) == ("SiteNotInCohort", (run.run, first.site))


def test_records_hold_no_zeros(run: MaskedRun) -> None:
    first = run.parties[0]
    for name in ("mask", "channel"):
        assert run.refused(first, run.keys(first, **{name: ZERO})) == ("DigestZero", ())
    for name in ("commitment", "locator"):
        for act in (run.dealing, run.disclosure):
            assert run.refused(first, act(first, **{name: ZERO})) == ("CommitmentZero", ())


def test_bytes_are_at_most_as_many_as_the_roster_has_positions(run: MaskedRun) -> None:
    run.to_holdings()
    first = run.parties[0]
    # Eight sites in a byte, four verdicts: four positions need one byte of either.
    refused = run.refused(first, run.holding(first, holding=bytes(2)))
    assert refused == ("BytesTooLong", (run.run, 2, 1))
    for party in run.parties:
        run.do(party, run.holding(party, holding=b""))
    for party in run.parties:
        run.world.submit(run.run, party)
    turn = run.turn(1)
    assert run.refused(turn, run.set(turn, bytes(2))) == ("BytesTooLong", (run.run, 2, 1))
    run.do(turn, run.set(turn, BAD_FIRST))


def test_nothing_is_taken_outside_of_an_attempt(world: World) -> None:
    run = MaskedRun(world, targetSites=5)
    first = run.parties[0]
    assert run.stage == NONE
    assert run.refused(first, run.keys(first)) == ("PhaseWrong", (run.run, 1))
    assert run.refused(first, run.acts.closeKeys(run.run)) == ("PhaseWrong", (run.run, 1))
    world.send(world.researcher, world.rounds.functions.abort(run.run))
    assert set(run.state.values()) == {0, ZERO}


def test_new_attempt_begins_anew(run: MaskedRun) -> None:
    run.to_masked()
    run.world.advance(run.run)
    state = run.state
    assert (state["attempt"], state["stage"], state["advertised"]) == (2, KEYS, 0)
    assert state["seedBlock"] == 0
    first = run.parties[0]
    old = {"attempt": 1}
    assert run.refused(first, run.keys(first, **old)) == ("PlaceWrong", (run.run, 1, 2, 0))
    refused = run.refused(first, run.world.submission(run.run, first))
    assert refused == ("StageWrong", (run.run, KEYS))
    run.to_freezing()
    assert run.stage == FREEZING


def test_times_come_from_the_run_s_module_alone(run: MaskedRun) -> None:
    times = (1, 1, 1, 1)
    stranger = Party(0, run.world.outsider)
    refused = run.refused(stranger, run.acts.start(run.run, times))
    assert refused == ("CallerNotModule", (run.world.outsider.lower(), run.run))
    assert run.acts.timesOf(run.run).call() == (200, 200, 200, 100)


@pytest.mark.parametrize("name", ["set", "affirmation", "disclosure"])
def test_acts_of_later_stages_await_them(run: MaskedRun, name: str) -> None:
    first = run.parties[0]
    act: Any = getattr(run, name)
    assert run.refused(first, act(first)) == ("PhaseWrong", (run.run, COLLECTING))
    run.to_masked()
    assert run.refused(first, act(first)) == ("PhaseWrong", (run.run, COLLECTING))
    for party in run.parties:
        run.world.submit(run.run, party)
    assert run.world.state(run.run)["phase"] == PROPOSING
    if name == "disclosure":
        assert run.refused(first, act(first)) == ("StageWrong", (run.run, FREEZING))
    if name == "affirmation":
        assert run.refused(first, act(first)) == ("SetNotAtHand", (run.run, 0))
        assert run.refused(first, act(first, number=0)) == ("SetNotAtHand", (run.run, 0))
    for early in STAGED:
        assert run.refused(first, getattr(run, early)(first)) == (
            "PhaseWrong",
            (run.run, PROPOSING),
        )
