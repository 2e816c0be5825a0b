"""Consents: into a run under a grant, and out again."""

from __future__ import annotations

from tests.contracts.chain import ABORTED, COLLECTING, GATHERING, PROPOSING
from tests.contracts.world import World


def test_consent_records_the_bounds_and_emits(world: World) -> None:
    party, run = world.parties[0], world.open(maximumExamples=1_000)
    receipt = world.consent(run, party)
    ((name, values),) = world.events(receipt)
    member = world.member(run, party)
    assert (name, values["position"], values["maximumExamples"]) == ("ConsentGiven", 0, 500)
    assert (member["position"], member["consenting"], member["maximumExamples"]) == (0, True, 500)
    assert member["grant"] == party.grants[run] == values["grant"]
    assert member["expiry"] == values["expiry"]
    assert world.access.functions.accessOf(party.grants[run]).call()[4] == run
    assert world.state(run)["consenting"] == 1


def test_consent_is_capped_by_the_plan(world: World) -> None:
    run = world.open(maximumExamples=10)
    world.consent(run, world.parties[0])
    assert world.member(run, world.parties[0])["maximumExamples"] == 10


def test_consent_of_the_target_starts_the_first_attempt(world: World) -> None:
    run = world.open(targetSites=3)
    for party in world.parties[:2]:
        world.consent(run, party)
    assert world.state(run)["phase"] == GATHERING
    receipt = world.consent(run, world.parties[2])
    assert world.events(receipt)[-1] == (
        "AttemptStarted",
        {
            "run": run,
            "round": 1,
            "attempt": 1,
            "cohort": 3,
            "rosterLength": 3,
            "quorum": 2,
            "deadline": world.state(run)["deadline"],
        },
    )
    state = world.state(run)
    assert (state["phase"], state["round"], state["attempt"], state["expected"]) == (
        COLLECTING,
        1,
        1,
        3,
    )
    assert state["deadline"] - state["since"] == 1_000


def test_consent_reverts_twice_and_for_another(world: World) -> None:
    first, second = world.parties[:2]
    run = world.open()
    world.consent(run, first)
    act = world.rounds.functions.consent(run, first.site, world.grant(first))
    refused = world.refusal_of(first.account, act)
    assert (refused.name, refused.arguments) == ("ConsentAlreadyGiven", (run, first.site))
    assert world.refusal_of(second.account, act).name == "AccountNotOfSite"


def test_consent_reverts_after_the_deadline_and_when_over(world: World) -> None:
    party, run = world.parties[0], world.open()
    act = world.rounds.functions.consent(run, party.site, world.grant(party))
    world.chain.sleep(1_001)
    assert world.refusal_of(party.account, act).name == "DeadlinePassed"
    world.advance(run)
    refused = world.refusal_of(party.account, act)
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, ABORTED))


def test_consent_reverts_with_roster_full(world: World) -> None:
    run = world.open(minimumSites=2, targetSites=2, maximumSites=2)
    for party in world.parties[:2]:
        world.consent(run, party)
    late = world.parties[2]
    act = world.rounds.functions.consent(run, late.site, world.grant(late))
    refused = world.refusal_of(late.account, act)
    assert (refused.name, refused.arguments) == ("RosterFull", (run, 2))


def test_a_late_consent_counts_from_the_next_attempt(world: World) -> None:
    run = world.open(targetSites=2)
    for party in world.parties[:3]:
        world.consent(run, party)
    late = world.parties[2]
    state = world.state(run)
    assert (state["cohort"], state["rosterLength"], state["consenting"]) == (2, 2, 3)
    refused = world.refusal_of(late.account, world.submission(run, late))
    assert (refused.name, refused.arguments) == ("SiteNotInCohort", (run, late.site))
    world.advance(run)
    state = world.state(run)
    assert (state["round"], state["attempt"], state["cohort"], state["quorum"]) == (1, 2, 3, 2)
    world.submit(run, late)


def test_withdraw_frees_the_grant_and_emits(world: World) -> None:
    party, run = world.parties[0], world.open()
    world.consent(run, party)
    receipt = world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    assert world.events(receipt) == [
        ("ConsentEnded", {"run": run, "site": party.site, "grant": party.grants[run]})
    ]
    assert world.access.functions.accessOf(party.grants[run]).call()[4] == 0
    act = world.rounds.functions.withdraw(run, party.site)
    refused = world.refusal_of(party.account, act)
    assert (refused.name, refused.arguments) == ("ConsentMissing", (run, party.site))
    assert world.refusal_of(world.outsider, act).name == "AccountNotOfSite"


def test_coming_and_going_does_not_use_up_the_roster(world: World) -> None:
    party, run = world.parties[0], world.open(maximumSites=3)
    for _ in range(4):
        world.consent(run, party)
        world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    world.consent(run, party)
    assert world.member(run, party)["position"] == 0
    for other in world.parties[1:3]:
        world.consent(run, other)
    # Its position is frozen now, so coming back means a new one, which the roster does not have.
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    act = world.rounds.functions.consent(run, party.site, party.grants[run])
    assert world.refusal_of(party.account, act).name == "RosterFull"


def test_a_consent_given_again_joins_the_next_attempt(world: World) -> None:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    party = world.parties[0]
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    world.consent(run, party)
    assert world.member(run, party)["position"] == 3
    assert world.refusal_of(party.account, world.submission(run, party)).name == "SiteNotInCohort"
    assert world.state(run)["expected"] == 2


def test_withdrawal_of_the_last_awaited_site_closes_submissions(world: World) -> None:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    for party in world.parties[:2]:
        world.submit(run, party)
    last = world.parties[2]
    receipt = world.send(last.account, world.rounds.functions.withdraw(run, last.site))
    assert [name for name, _ in world.events(receipt)] == ["ConsentEnded"]
    assert world.state(run)["phase"] == PROPOSING


def test_withdrawal_after_submitting_keeps_the_submission(world: World) -> None:
    run = world.open(targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    party = world.parties[0]
    world.submit(run, party)
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    state = world.state(run)
    assert (state["submitted"], state["expected"]) == (1, 3)
    assert world.refusal_of(party.account, world.submission(run, party)).name == "ConsentMissing"


def test_withdrawal_below_the_minimum_waits_for_the_deadline(world: World) -> None:
    run = world.open(targetSites=2)
    for party in world.parties[:2]:
        world.consent(run, party)
    world.submit(run, world.parties[0])
    other = world.parties[1]
    world.send(other.account, world.rounds.functions.withdraw(run, other.site))
    assert world.state(run)["phase"] == COLLECTING


def test_drop_ends_only_consents_that_are_not_in_order(world: World) -> None:
    first, second, third = world.parties[:3]
    run, drop = world.open(targetSites=3), world.rounds.functions.drop
    world.consent(run, first, seconds=500)
    world.consent(run, second)
    world.consent(run, third)
    for party in (first, second):
        refused = world.refusal_of(world.outsider, drop(run, party.site))
        assert (refused.name, refused.arguments) == ("ConsentInOrder", (run, party.site))
    world.send(world.operator, world.registry.functions.suspend(second.site))
    world.chain.sleep(501)
    for party in (first, second):
        receipt = world.send(world.outsider, drop(run, party.site))
        assert world.events(receipt)[0][0] == "ConsentEnded"
        assert world.refusal_of(world.outsider, drop(run, party.site)).name == "ConsentMissing"
    assert world.state(run)["expected"] == 0  # one would be too few


def test_end_consent_is_for_the_data_access_ledger(world: World) -> None:
    party, run = world.parties[0], world.open()
    world.consent(run, party)
    refused = world.refusal_of(world.operator, world.rounds.functions.endConsent(run, party.site))
    assert (refused.name, refused.arguments) == ("CallerNotDataAccess", (world.operator.lower(),))


def test_gathering_advances_with_enough_sites_and_aborts_with_too_few(world: World) -> None:
    enough, few = world.open(minimumSites=2), world.open(minimumSites=2)
    for party in world.parties[:2]:
        world.consent(enough, party)
    world.consent(few, world.parties[2])
    refused = world.refusal_of(world.researcher, world.rounds.functions.advance(enough))
    assert refused.name == "DeadlineAhead"
    world.advance(enough)
    assert world.state(enough)["phase"] == COLLECTING
    receipt = world.advance(few)
    assert world.events(receipt)[0] == (
        "RunAborted",
        {"run": few, "round": 0, "account": "0x" + "00" * 20},
    )
