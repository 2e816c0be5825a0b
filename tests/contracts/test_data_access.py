"""Datasets, and who may use them: requested, granted, denied, revoked."""

from __future__ import annotations

import pytest

from tests.contracts.chain import digest
from tests.contracts.world import DAY, World

REQUESTED, GRANTED, DENIED, REVOKED = 1, 2, 3, 4


def request(world: World, dataset: int = 1) -> int:
    world.send(
        world.researcher,
        world.access.functions.requestAccess(dataset, digest("purpose"), digest("locator")),
    )
    return int(world.access.functions.accessCount().call())


def grant_act(world: World, grant: int, **changes: object) -> object:
    values = {
        "grant": grant,
        "terms": digest("terms"),
        "locator": bytes(32),
        "expiry": world.chain.now + DAY,
    } | changes
    return world.access.functions.grantAccess(*values.values())


def test_register_dataset_records_and_emits(world: World) -> None:
    party = world.parties[0]
    act = world.access.functions.registerDataset(party.site, digest("d"), digest("s"), 7)
    receipt = world.send(party.account, act)
    dataset = world.access.functions.datasetCount().call()
    assert world.events(receipt) == [
        (
            "DatasetRegistered",
            {
                "dataset": dataset,
                "site": party.site,
                "description": digest("d"),
                "data": digest("s"),
                "examples": 7,
            },
        )
    ]
    assert world.access.functions.datasetOf(dataset).call() == (
        party.site,
        7,
        False,
        digest("d"),
        digest("s"),
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((digest("d"), digest("s"), 0), "ExamplesInvalid"),
        ((digest("d"), digest("s"), 1 << 40), "ExamplesInvalid"),
        ((digest("d"), digest("s"), (1 << 64) - 1), "ExamplesInvalid"),
        ((bytes(32), digest("s"), 1), "DigestZero"),
        ((digest("d"), bytes(32), 1), "DigestZero"),
    ],
)
def test_register_dataset_reverts(world: World, arguments: tuple[object, ...], error: str) -> None:
    party = world.parties[0]
    act = world.access.functions.registerDataset(party.site, *arguments)
    assert world.refusal_of(party.account, act).name == error


def test_acts_on_a_dataset_are_for_its_own_site(world: World) -> None:
    acts, other, grant = world.access.functions, world.parties[1].account, request(world)
    granted = world.grant(world.parties[0])
    for act in (
        acts.registerDataset(world.parties[0].site, digest("d"), digest("s"), 1),
        acts.closeDataset(1),
        grant_act(world, grant),
        acts.denyAccess(grant, bytes(32)),
        acts.revokeAccess(granted),
    ):
        assert world.refusal_of(other, act).name == "AccountNotOfSite"


def test_close_dataset_stops_requests_grants_and_consents(world: World) -> None:
    party, pending, granted = world.parties[0], request(world), world.grant(world.parties[0])
    run = world.open()
    receipt = world.send(party.account, world.access.functions.closeDataset(1))
    assert world.events(receipt) == [("DatasetClosed", {"dataset": 1, "site": party.site})]
    asks = world.access.functions.requestAccess(1, digest("p"), bytes(32))
    for account, act in (
        (party.account, world.access.functions.closeDataset(1)),
        (world.researcher, asks),
        (party.account, grant_act(world, pending)),
        (party.account, world.rounds.functions.consent(run, party.site, granted)),
    ):
        refused = world.refusal_of(account, act)
        assert (refused.name, refused.arguments) == ("DatasetAlreadyClosed", (1,))


def test_an_unknown_dataset_is_refused(world: World) -> None:
    acts = world.access.functions
    for dataset in (0, 999, (1 << 64) - 1):
        for act in (
            acts.closeDataset(dataset),
            acts.requestAccess(dataset, digest("p"), bytes(32)),
        ):
            assert world.refusal_of(world.researcher, act).name == "DatasetUnknown"


def test_request_access_records_and_emits(world: World) -> None:
    act = world.access.functions.requestAccess(1, digest("purpose"), digest("locator"))
    receipt = world.send(world.researcher, act)
    ((name, values),) = world.events(receipt)
    assert (name, values["researcher"], values["purpose"]) == (
        "AccessRequested",
        world.researcher.lower(),
        digest("purpose"),
    )
    held = world.access.functions.accessOf(values["grant"]).call()
    assert held == (1, world.researcher, REQUESTED, 0, 0)


def test_request_access_reverts_without_role_or_purpose(world: World) -> None:
    act = world.access.functions.requestAccess
    for account in (world.outsider, world.operator, world.parties[0].account):
        refused = world.refusal_of(account, act(1, digest("purpose"), bytes(32)))
        assert refused.name == "AccountRoleMissing"
    assert world.refusal_of(world.researcher, act(1, bytes(32), bytes(32))).name == "DigestZero"


def test_grant_access_records_terms_and_expiry(world: World) -> None:
    grant, expiry = request(world), world.chain.now + DAY
    receipt = world.send(world.parties[0].account, grant_act(world, grant, expiry=expiry))
    assert world.events(receipt)[0] == (
        "AccessGranted",
        {
            "grant": grant,
            "dataset": 1,
            "site": world.parties[0].site,
            "terms": digest("terms"),
            "termsLocator": bytes(32),
            "expiry": expiry,
        },
    )
    assert world.access.functions.accessOf(grant).call()[2:4] == (GRANTED, expiry)


def test_grant_access_reverts_with_expiry_past_or_zero_terms(world: World) -> None:
    grant, account = request(world), world.parties[0].account
    for expiry in (0, 1, world.chain.now):
        refused = world.refusal_of(account, grant_act(world, grant, expiry=expiry))
        assert (refused.name, refused.arguments) == ("ExpiryPast", (expiry,))
    assert world.refusal_of(account, grant_act(world, grant, terms=bytes(32))).name == "DigestZero"


def test_deny_access_records_and_emits(world: World) -> None:
    grant = request(world)
    act = world.access.functions.denyAccess(grant, bytes(32))
    receipt = world.send(world.parties[0].account, act)
    assert world.events(receipt)[0][0] == "AccessDenied"
    assert world.access.functions.accessOf(grant).call()[2] == DENIED


def test_a_decision_reverts_in_the_wrong_status(world: World) -> None:
    acts, account = world.access.functions, world.parties[0].account
    denied, granted, asked = request(world), world.grant(world.parties[0]), request(world)
    world.send(account, acts.denyAccess(denied, bytes(32)))
    for grant, status, act in (
        (denied, DENIED, grant_act(world, denied)),
        (denied, DENIED, acts.denyAccess(denied, bytes(32))),
        (denied, DENIED, acts.revokeAccess(denied)),
        (granted, GRANTED, acts.denyAccess(granted, bytes(32))),
        (granted, GRANTED, grant_act(world, granted)),
        (asked, REQUESTED, acts.revokeAccess(asked)),
        (0, 0, acts.revokeAccess(0)),
    ):
        refused = world.refusal_of(account, act)
        assert (refused.name, refused.arguments) == ("AccessStatusWrong", (grant, status))


def test_revoke_access_ends_the_consent_at_once(world: World) -> None:
    party, run = world.parties[0], world.open()
    world.consent(run, party)
    grant = party.grants[run]
    assert world.access.functions.accessOf(grant).call()[4] == run
    receipt = world.send(party.account, world.access.functions.revokeAccess(grant))
    assert [name for name, _ in world.events(receipt)] == ["AccessRevoked", "ConsentEnded"]
    assert not world.member(run, party)["consenting"]
    assert world.access.functions.accessOf(grant).call()[2:] == (
        REVOKED,
        world.access.functions.accessOf(grant).call()[3],
        0,
    )


def test_revoke_access_works_after_the_consent_was_withdrawn(world: World) -> None:
    party, run = world.parties[0], world.open()
    world.consent(run, party)
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    act = world.access.functions.revokeAccess(party.grants[run])
    assert len(world.events(world.send(party.account, act))) == 1


def test_bind_and_release_are_for_the_runs_module(world: World) -> None:
    run = world.open()
    grant = world.grant(world.parties[0])
    for act in (
        world.access.functions.bindConsent(grant, run, world.parties[0].site),
        world.access.functions.releaseConsent(grant, run),
    ):
        refused = world.refusal_of(world.operator, act)
        assert (refused.name, refused.arguments) == (
            "CallerNotModule",
            (world.operator.lower(), run),
        )


def test_consent_reverts_under_a_grant_that_does_not_fit(world: World) -> None:
    first, second = world.parties[:2]
    run, consent = world.open(), world.rounds.functions.consent
    expired, foreign = world.grant(first, seconds=5), world.grant(second)
    world.chain.sleep(10)
    for grant, error in (
        (expired, "GrantExpired"),
        (foreign, "DatasetNotOfSite"),
        (request(world), "AccessStatusWrong"),
        (0, "AccessStatusWrong"),
    ):
        assert world.refusal_of(first.account, consent(run, first.site, grant)).name == error


def test_consent_reverts_under_a_grant_to_another_researcher(world: World) -> None:
    party, other = world.parties[0], world.chain.accounts[9]
    world.send(world.operator, world.registry.functions.setAccountRoles(0, other, 4))
    act = world.access.functions.requestAccess(1, digest("purpose"), bytes(32))
    world.send(other, act)
    grant = world.access.functions.accessCount().call()
    world.send(party.account, grant_act(world, grant))
    run = world.open()
    refused = world.refusal_of(
        party.account, world.rounds.functions.consent(run, party.site, grant)
    )
    assert (refused.name, refused.arguments) == ("GrantNotForResearcher", (grant, other.lower()))


def test_a_grant_carries_one_consent_until_its_run_is_over(world: World) -> None:
    party, first, second = world.parties[0], world.open(), world.open()
    world.consent(first, party)
    grant = party.grants[first]
    act = world.rounds.functions.consent(second, party.site, grant)
    refused = world.refusal_of(party.account, act)
    assert (refused.name, refused.arguments) == ("GrantInUse", (grant, first))
    world.send(world.researcher, world.rounds.functions.abort(first))
    world.send(party.account, act)
    # Leaving the run that is over does not free the grant from the new one.
    world.send(party.account, world.rounds.functions.withdraw(first, party.site))
    assert world.access.functions.accessOf(grant).call()[4] == second
