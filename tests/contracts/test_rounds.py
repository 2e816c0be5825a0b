"""A round in order: submissions and proposals."""

from __future__ import annotations

import pytest

from tests.contracts.chain import (
    ATTESTING,
    PROPOSING,
    digest,
    running_hash,
)
from tests.contracts.moves import finish_round, to_attesting, to_proposing
from tests.contracts.world import World

ZERO = bytes(32)


@pytest.fixture
def run(world: World) -> int:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    return run


def test_submit_records_and_emits(world: World, run: int) -> None:
    party = world.parties[0]
    receipt = world.submit(run, party, weight=500)
    assert world.events(receipt) == [
        (
            "UpdateSubmitted",
            {
                "run": run,
                "round": 1,
                "site": party.site,
                "attempt": 1,
                "stage": 0,
                "weight": 500,
                "commitment": digest("update", run, 1, party.site),
                "locator": digest("locator", run, 1, party.site),
            },
        )
    ]
    member = world.member(run, party)
    assert (member["submittedRound"], member["submittedAttempt"]) == (1, 1)
    assert world.state(run)["submitted"] == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"commitment": ZERO}, ("CommitmentZero", ())),
        ({"locator": ZERO}, ("CommitmentZero", ())),
        ({"weight": 0}, ("WeightInvalid", (0, 500))),
        ({"weight": 501}, ("WeightInvalid", (501, 500))),
        ({"weight": (1 << 64) - 1}, ("WeightInvalid", ((1 << 64) - 1, 500))),
        ({"stage": 1}, ("StageUnknown", (1, 1))),
        ({"round": 0}, ("PlaceWrong", (1, 1, 1, 0))),
        ({"round": 2}, ("PlaceWrong", (1, 1, 1, 0))),
        ({"attempt": 2}, ("PlaceWrong", (1, 1, 1, 0))),
        ({"attempt": 255}, ("PlaceWrong", (1, 1, 1, 0))),
    ],
)
def test_submit_reverts(
    world: World, run: int, changes: dict[str, object], error: tuple[str, tuple[object, ...]]
) -> None:
    party = world.parties[0]
    refused = world.refusal_of(party.account, world.submission(run, party, **changes))
    name, arguments = error
    if name in ("PlaceWrong", "StageUnknown"):
        arguments = (run, *arguments[1:])
    assert (refused.name, refused.arguments) == (name, arguments)


def test_submit_reverts_for_the_wrong_site_or_time(world: World, run: int) -> None:
    party, stranger = world.parties[0], world.parties[3]
    refused = world.refusal_of(stranger.account, world.submission(run, party))
    assert refused.name == "AccountNotOfSite"
    assert world.refusal_of(stranger.account, world.submission(run, stranger)).arguments == (
        run,
        stranger.site,
    )
    world.submit(run, party)
    refused = world.refusal_of(party.account, world.submission(run, party, weight=2))
    assert (refused.name, refused.arguments) == ("AlreadySubmitted", (run, 1, party.site))
    late = world.parties[1]
    world.chain.sleep(1_001)
    assert world.refusal_of(late.account, world.submission(run, late)).name == "DeadlinePassed"


def test_submit_reverts_with_consent_expired(world: World) -> None:
    run = world.open(targetSites=2)
    first, second = world.parties[:2]
    world.consent(run, first, seconds=300)
    world.consent(run, second)
    world.chain.sleep(301)
    refused = world.refusal_of(first.account, world.submission(run, first))
    assert (refused.name, refused.arguments[:2]) == ("ConsentExpired", (run, first.site))


def test_submit_reverts_once_the_site_is_suspended(world: World, run: int) -> None:
    party = world.parties[0]
    world.send(world.operator, world.registry.functions.suspend(party.site))
    assert world.refusal_of(party.account, world.submission(run, party)).name == "SiteStandingWrong"


def test_submit_accepts_a_copied_commitment(world: World, run: int) -> None:
    # Rejecting it would let a front-runner lock the owner out; the intake finds copies.
    for party in world.parties[:2]:
        world.submit(run, party, commitment=digest("same"))
    assert world.state(run)["submitted"] == 2


def test_the_last_submission_closes_the_stage(world: World, run: int) -> None:
    for party in world.parties[:2]:
        world.submit(run, party)
    receipt = world.submit(run, world.parties[2])
    closing = world.chain.now
    assert [name for name, _ in world.events(receipt)] == ["UpdateSubmitted"]
    world.chain.sleep(30)
    state = world.state(run)
    assert (state["since"], state["attested"], state["objected"]) == (closing, 0, 0)
    assert (state["phase"], state["proposal"]) == (PROPOSING, 1)
    assert state["deadline"] - state["since"] == 600
    party = world.parties[0]
    assert world.refusal_of(party.account, world.submission(run, party)).name == "PhaseWrong"


def test_propose_records_and_emits(world: World, run: int) -> None:
    to_proposing(world, run)
    party = world.turns_party(run, world.parties[:3])
    closed = world.state(run)
    receipt = world.propose(run, party, inclusion=b"\x08")
    state = world.state(run)
    assert world.events(receipt) == [
        (
            "SubmissionsClosed",
            {"run": run, "round": 1, "attempt": 1, "submitted": 3, "deadline": closed["deadline"]},
        ),
        (
            "RoundProposed",
            {
                "run": run,
                "round": 1,
                "site": party.site,
                "attempt": 1,
                "proposal": 1,
                "creditsTotal": 1_000,
                "record": digest("record", run, 1),
                "recordLocator": digest("record locator"),
                "state": digest("state", run, 1),
                "creditsRoot": digest("root"),
                "deadline": state["deadline"],
                "inclusion": b"\x08",
            },
        ),
    ]
    assert (state["phase"], state["deadline"] - state["since"]) == (ATTESTING, 500)
    assert world.rounds.functions.settlementOf(run, 1).call() == ZERO


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64, 250])
def test_propose_logs_an_inclusion_of_any_length(world: World, run: int, length: int) -> None:
    to_attesting(world, run, inclusion=b"\xff" * length)
    name, values = world.events({"logs": world.logs_of(run)[-1:]})[0]
    assert (name, values["inclusion"]) == ("RoundProposed", b"\xff" * length)
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"record": ZERO}, "CommitmentZero"),
        ({"recordLocator": ZERO}, "CommitmentZero"),
        ({"state": ZERO}, "CommitmentZero"),
        ({"creditsRoot": ZERO}, "CommitmentZero"),
        ({"round": 2}, "PlaceWrong"),
        ({"attempt": 2}, "PlaceWrong"),
        ({"number": 2}, "PlaceWrong"),
        ({"number": 0}, "PlaceWrong"),
        ({"included": 2}, "CountsInvalid"),
        ({"included": 4}, "CountsInvalid"),
        ({"included": 3, "invalid": 1}, "CountsInvalid"),
        ({"included": 1, "invalid": 2}, "CountsInvalid"),
        ({"included": 65_535}, "CountsInvalid"),
        ({"included": 2, "unavailable": 1}, "RevealUnfinished"),
        ({"creditsTotal": 1_001}, "CreditsOutOfBounds"),
        ({"creditsTotal": (1 << 64) - 1}, "CreditsOutOfBounds"),
    ],
)
def test_propose_reverts(world: World, run: int, changes: dict[str, object], error: str) -> None:
    to_proposing(world, run)
    party = world.turns_party(run, world.parties[:3])
    assert world.refusal_of(party.account, world.proposal(run, party, **changes)).name == error


def test_propose_reverts_below_what_was_granted(world: World, run: int) -> None:
    finish_round(world, run)
    to_proposing(world, run)
    party = world.turns_party(run, world.parties[:3])
    for total in (0, 999, 2_001):
        refused = world.refusal_of(party.account, world.proposal(run, party, creditsTotal=total))
        assert (refused.name, refused.arguments) == ("CreditsOutOfBounds", (run, total, 2_000))
    world.propose(run, party, creditsTotal=1_000)


def test_propose_reverts_for_the_wrong_site(world: World, run: int) -> None:
    to_proposing(world, run)
    stranger = world.parties[3]
    refused = world.refusal_of(stranger.account, world.proposal(run, stranger))
    assert (refused.name, refused.arguments) == ("SiteNotInCohort", (run, stranger.site))
    party = world.turns_party(run, world.parties[:3])
    world.send(
        world.operator, world.registry.functions.setAccountRoles(party.site, party.account, 2)
    )
    refused = world.refusal_of(party.account, world.proposal(run, party))
    assert refused.name == "AccountRoleMissing"


def test_the_turn_goes_round_and_ends_after_the_grace_period(world: World, run: int) -> None:
    to_proposing(world, run)
    assert world.turn(run) == (1 + 1 + 1) % 3
    turn = world.turns_party(run, world.parties[:3])
    others = [party for party in world.parties[:3] if party is not turn]
    for party in others:
        refused = world.refusal_of(party.account, world.proposal(run, party))
        assert (refused.name, refused.arguments) == ("TurnOfAnother", (run, party.site, 0))
    world.chain.sleep(100)  # the reveal is over, grace is not
    refused = world.refusal_of(others[0].account, world.proposal(run, others[0]))
    assert refused.name == "TurnOfAnother"
    world.chain.sleep(50)
    world.propose(run, others[0])


def test_unavailable_bytes_may_be_named_once_the_reveal_is_over(world: World, run: int) -> None:
    to_proposing(world, run)
    world.chain.sleep(100)
    world.propose(run, world.turns_party(run, world.parties[:3]), included=2, unavailable=1)


def test_propose_reverts_after_the_deadline(world: World, run: int) -> None:
    to_proposing(world, run)
    party = world.turns_party(run, world.parties[:3])
    world.chain.sleep(601)
    assert world.refusal_of(party.account, world.proposal(run, party)).name == "DeadlinePassed"
