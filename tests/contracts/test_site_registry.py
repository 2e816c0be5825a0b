"""The register: who is admitted, with which roles, and how it ends."""

from __future__ import annotations

import pytest
from eth_account import Account

from tests.contracts.chain import AGGREGATOR, OPERATOR, RESEARCHER, SITE, digest
from tests.contracts.world import World, key_of

APPLIED, ACTIVE, SUSPENDED, REVOKED = 1, 2, 3, 4
ZERO = "0x" + "00" * 20


def fresh_account(world: World, number: int) -> str:
    return world.chain.accounts[10 + number]


def test_deployment_makes_the_deployer_the_operator_of_site_zero(world: World) -> None:
    site = world.registry.functions.siteOf(0).call()
    assert site[:3] == (world.operator, ACTIVE, OPERATOR)
    assert world.registry.functions.accountOf(world.operator).call() == [0, OPERATOR]


def test_apply_for_records_and_emits_site_applied(world: World) -> None:
    application, signature = world.application("north")
    receipt = world.send(world.outsider, world.registry.functions.applyFor(application, signature))
    site = world.registry.functions.siteCount().call()
    ((name, values),) = world.events(receipt)
    assert name == "SiteApplied"
    assert values == {
        "site": site,
        "account": application[0].lower(),
        "name": "north",
        "metadata": application[2],
        "encryptionKey": application[3],
        "storeAddress": application[4],
    }
    assert world.registry.functions.siteOf(site).call() == (
        application[0],
        APPLIED,
        0,
        1,
        1,
        application[3],
        application[2],
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": ""}, ("TextLengthInvalid", (0, 64))),
        ({"name": "n" * 65}, ("TextLengthInvalid", (65, 64))),
        ({"storeAddress": "s" * 257}, ("TextLengthInvalid", (257, 256))),
        ({"metadata": bytes(32)}, ("DigestZero", ())),
        ({"encryptionKey": bytes(32)}, ("DigestZero", ())),
        ({"account": ZERO}, ("AccountZero", ())),
        ({"deadline": 1}, ("ApplicationExpired", (1,))),
    ],
)
def test_apply_for_reverts_with_what_is_wrong(
    world: World, changes: dict[str, object], error: tuple[str, tuple[object, ...]]
) -> None:
    act = world.registry.functions.applyFor(*world.application("north", **changes))
    refused = world.refusal_of(world.outsider, act)
    assert (refused.name, refused.arguments) == error


def test_apply_for_reverts_with_signature_invalid_when_another_signed(world: World) -> None:
    application, _ = world.application("north")
    _, other = world.application("south")
    for signature in (other, b"", bytes(65)):
        refused = world.refusal_of(
            world.outsider, world.registry.functions.applyFor(application, signature)
        )
        assert refused.name == "ApplicationSignatureInvalid"


def test_apply_for_reverts_with_account_already_known_on_replay(world: World) -> None:
    application, signature = world.application("north")
    act = world.registry.functions.applyFor(application, signature)
    world.send(world.outsider, act)
    refused = world.refusal_of(world.outsider, act)
    assert refused.name == "AccountAlreadyKnown"


def test_admit_forwards_the_allowance_and_emits_site_admitted(world: World) -> None:
    site = world.apply("north")
    receipt = world.send(world.operator, world.registry.functions.admit(site, SITE), value=123)
    assert world.events(receipt) == [
        (
            "SiteAdmitted",
            {"site": site, "operator": world.operator.lower(), "roles": SITE, "allowance": 123},
        )
    ]
    assert world.chain.w3.eth.get_balance(key_of("north").address) == 123
    world.registry.functions.requireNode(site, key_of("north").address, SITE).call()


@pytest.mark.parametrize("roles", [0, OPERATOR, SITE | OPERATOR, 16, 255])
def test_admit_reverts_with_roles_invalid(world: World, roles: int) -> None:
    site = world.apply("north")
    refused = world.refusal_of(world.operator, world.registry.functions.admit(site, roles))
    assert (refused.name, refused.arguments) == ("RolesInvalid", (roles,))


def test_admit_reverts_with_standing_wrong_unless_applied(world: World) -> None:
    for site, actual in ((world.parties[0].site, ACTIVE), (999, 0)):
        refused = world.refusal_of(world.operator, world.registry.functions.admit(site, SITE))
        assert (refused.name, refused.arguments) == ("SiteStandingWrong", (site, actual))


def test_admit_reverts_with_allowance_refused_by_a_contract(world: World) -> None:
    site = world.apply("north")
    # The account is a contract by now: this code reverts on everything.
    world.chain.rpc("anvil_setCode", key_of("north").address, "0x60006000fd")
    refused = world.refusal_of(world.operator, world.registry.functions.admit(site, SITE), value=5)
    assert (refused.name, refused.arguments[1]) == ("AllowanceRefused", 5)


def test_every_act_of_the_operator_reverts_for_others(world: World) -> None:
    site = world.parties[0].site
    acts = world.registry.functions
    for act in (
        acts.admit(site, SITE),
        acts.suspend(site),
        acts.reinstate(site),
        acts.revoke(site),
        acts.setAccountRoles(site, fresh_account(world, 0), RESEARCHER),
    ):
        for account in (world.outsider, world.researcher, world.parties[0].account):
            refused = world.refusal_of(account, act)
            assert (refused.name, refused.arguments[1]) == ("AccountRoleMissing", OPERATOR)


def test_suspend_stops_and_reinstate_lets_act_again(world: World) -> None:
    party = world.parties[0]
    requires = world.registry.functions.requireNode(party.site, party.account, SITE)
    receipt = world.send(world.operator, world.registry.functions.suspend(party.site))
    assert world.events(receipt)[0][1]["standing"] == SUSPENDED
    refused = world.refusal_of(world.outsider, requires)
    assert (refused.name, refused.arguments) == ("SiteStandingWrong", (party.site, SUSPENDED))
    assert (
        world.refusal_of(world.operator, world.registry.functions.suspend(party.site)).name
        == "SiteStandingWrong"
    )
    world.send(world.operator, world.registry.functions.reinstate(party.site))
    requires.call()


def test_revoke_is_for_ever_and_binds_the_accounts(world: World) -> None:
    party = world.parties[0]
    world.send(world.operator, world.registry.functions.revoke(party.site))
    acts = world.registry.functions
    for act in (
        acts.reinstate(party.site),
        acts.revoke(party.site),
        acts.suspend(party.site),
        acts.rotateAccount(party.site, fresh_account(world, 0)),
        acts.rotateKey(party.site, digest("key")),
        acts.moveStore(party.site, "x"),
    ):
        refused = world.refusal_of(world.operator, act)
        assert (refused.name, refused.arguments) == ("SiteStandingWrong", (party.site, REVOKED))
    again = acts.applyFor(*world.application("hospital 0"))
    assert world.refusal_of(world.outsider, again).name == "AccountAlreadyKnown"


def test_revoke_also_turns_an_application_down(world: World) -> None:
    site = world.apply("north")
    world.send(world.operator, world.registry.functions.revoke(site))
    assert world.registry.functions.siteOf(site).call()[1] == REVOKED


def test_the_consortium_cannot_be_suspended_or_revoked(world: World) -> None:
    for act in (world.registry.functions.suspend(0), world.registry.functions.revoke(0)):
        assert world.refusal_of(world.operator, act).name == "OperatorLast"


def test_set_account_roles_grants_and_dismisses_a_researcher(world: World) -> None:
    party, account = world.parties[0], fresh_account(world, 0)
    receipt = world.send(
        world.operator, world.registry.functions.setAccountRoles(party.site, account, RESEARCHER)
    )
    assert world.events(receipt) == [
        (
            "AccountRolesChanged",
            {"account": account.lower(), "site": party.site, "roles": RESEARCHER},
        )
    ]
    assert world.registry.functions.requireRole(account, RESEARCHER).call() == party.site
    # A hospital dismisses its own researcher, and stays in itself.
    world.send(party.account, world.registry.functions.setAccountRoles(party.site, account, 0))
    refused = world.refusal_of(
        world.outsider, world.registry.functions.requireRole(account, RESEARCHER)
    )
    assert (refused.name, refused.arguments[2]) == ("AccountRoleMissing", 0)
    world.registry.functions.requireNode(party.site, party.account, SITE).call()


@pytest.mark.parametrize("roles", [OPERATOR, SITE, AGGREGATOR, RESEARCHER | SITE, 32])
def test_set_account_roles_reverts_with_roles_invalid(world: World, roles: int) -> None:
    act = world.registry.functions.setAccountRoles(
        world.parties[0].site, fresh_account(world, 0), roles
    )
    assert world.refusal_of(world.operator, act).name == "RolesInvalid"


def test_set_account_roles_reverts_for_the_wrong_account(world: World) -> None:
    acts = world.registry.functions
    first, second = world.parties[:2]
    assert (
        world.refusal_of(
            world.operator, acts.setAccountRoles(first.site, second.account, RESEARCHER)
        ).name
        == "AccountAlreadyKnown"
    )
    assert (
        world.refusal_of(
            world.operator, acts.setAccountRoles(first.site, fresh_account(world, 1), 0)
        ).name
        == "AccountNotOfSite"
    )
    assert (
        world.refusal_of(world.operator, acts.setAccountRoles(first.site, ZERO, RESEARCHER)).name
        == "AccountZero"
    )


def test_set_account_roles_changes_the_roles_of_a_node(world: World) -> None:
    party = world.parties[0]
    world.send(
        world.operator, world.registry.functions.setAccountRoles(party.site, party.account, SITE)
    )
    refused = world.refusal_of(
        world.outsider, world.registry.functions.requireNode(party.site, party.account, AGGREGATOR)
    )
    assert refused.arguments == (party.account.lower(), AGGREGATOR, SITE)


def test_the_last_operator_cannot_be_dismissed(world: World) -> None:
    acts, second = world.registry.functions, fresh_account(world, 0)
    assert (
        world.refusal_of(world.operator, acts.setAccountRoles(0, world.operator, 0)).name
        == "OperatorLast"
    )
    world.send(world.operator, acts.setAccountRoles(0, second, OPERATOR))
    world.send(second, acts.setAccountRoles(0, world.operator, 0))
    assert world.refusal_of(world.operator, acts.suspend(1)).name == "AccountRoleMissing"
    assert world.refusal_of(second, acts.setAccountRoles(0, second, 0)).name == "OperatorLast"


def test_rotate_account_takes_the_roles_along(world: World) -> None:
    party, account = world.parties[0], fresh_account(world, 0)
    receipt = world.send(party.account, world.registry.functions.rotateAccount(party.site, account))
    assert world.events(receipt)[0][1] == {
        "site": party.site,
        "account": account.lower(),
        "accountVersion": 2,
    }
    world.registry.functions.requireNode(party.site, account, SITE | AGGREGATOR).call()
    assert world.registry.functions.accountOf(party.account).call() == [party.site, 0]
    refused = world.refusal_of(
        world.outsider, world.registry.functions.requireNode(party.site, party.account, SITE)
    )
    assert refused.name == "AccountNotOfSite"


def test_rotate_account_reverts_for_a_known_or_zero_account(world: World) -> None:
    acts, party = world.registry.functions, world.parties[0]
    for account, error in ((party.account, "AccountAlreadyKnown"), (ZERO, "AccountZero")):
        assert (
            world.refusal_of(party.account, acts.rotateAccount(party.site, account)).name == error
        )


def test_rotate_key_and_move_store_are_for_the_node_or_an_operator(world: World) -> None:
    acts, party = world.registry.functions, world.parties[0]
    for account in (party.account, world.operator):
        receipt = world.send(account, acts.rotateKey(party.site, digest("key", account)))
        assert world.events(receipt)[0][0] == "SiteKeyRotated"
        receipt = world.send(account, acts.moveStore(party.site, ""))
        assert world.events(receipt) == [
            ("SiteStoreMoved", {"site": party.site, "storeAddress": ""})
        ]
    assert world.registry.functions.siteOf(party.site).call()[4:6] == (
        3,
        digest("key", world.operator),
    )
    for act in (
        acts.rotateKey(party.site, digest("key")),
        acts.moveStore(party.site, "x"),
        acts.rotateAccount(party.site, fresh_account(world, 0)),
    ):
        assert world.refusal_of(world.parties[1].account, act).name == "AccountRoleMissing"
    assert (
        world.refusal_of(party.account, acts.rotateKey(party.site, bytes(32))).name == "DigestZero"
    )
    assert (
        world.refusal_of(party.account, acts.moveStore(party.site, "x" * 257)).name
        == "TextLengthInvalid"
    )


def test_a_suspended_site_cannot_lead_itself_but_the_operator_can(world: World) -> None:
    acts, party = world.registry.functions, world.parties[0]
    world.send(world.operator, acts.suspend(party.site))
    act = acts.rotateKey(party.site, digest("key"))
    assert world.refusal_of(party.account, act).name == "SiteStandingWrong"
    world.send(world.operator, act)


def test_a_suspended_site_stops_all_its_accounts(world: World) -> None:
    party, account = world.parties[0], fresh_account(world, 0)
    world.send(
        world.operator, world.registry.functions.setAccountRoles(party.site, account, RESEARCHER)
    )
    world.send(world.operator, world.registry.functions.suspend(party.site))
    refused = world.refusal_of(
        account, world.access.functions.requestAccess(1, digest("purpose"), bytes(32))
    )
    assert refused.name == "SiteStandingWrong"


def test_require_role_reverts_for_an_unknown_account(world: World) -> None:
    stranger = Account.create().address
    refused = world.refusal_of(
        world.outsider, world.registry.functions.requireRole(stranger, RESEARCHER)
    )
    assert refused.name == "AccountRoleMissing"
