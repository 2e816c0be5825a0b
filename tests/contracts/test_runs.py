"""The catalogue: approved modules, frozen plans, announced locators."""

from __future__ import annotations

import pytest

from tests.contracts.chain import digest
from tests.contracts.world import PARAMETERS, World, encode_parameters

HUGE = (1 << 48) // 2


def open_act(world: World, **changes: object) -> object:
    values = {
        "module": world.rounds.address,
        "plan": digest("plan"),
        "planLocator": digest("pl"),
        "initialModel": digest("model"),
        "initialModelLocator": digest("ml"),
        "transferable": False,
        "parameters": encode_parameters(),
    } | changes
    return world.runs.functions.open(*values.values())


def test_open_records_the_run_and_starts_gathering(world: World) -> None:
    receipt = world.send(world.researcher, open_act(world))
    ((name, values),) = world.events(receipt)
    run = values["run"]
    assert (name, values["plan"], values["parameters"]) == (
        "RunOpened",
        digest("plan"),
        encode_parameters(),
    )
    assert world.runs.functions.runOf(run).call() == (
        world.rounds.address,
        world.researcher,
        digest("plan"),
        digest("model"),
    )
    assert world.runs.functions.moduleOf(run).call() == world.rounds.address
    assert list(world.rounds.functions.parametersOf(run).call()) == list(PARAMETERS.values())
    state = world.state(run)
    assert (state["phase"], state["round"], state["deadline"] - state["since"]) == (1, 0, 1_000)
    assert world.credits.functions.totalOf(run).call() == [0, False]


def test_open_reverts_without_role_module_or_commitments(world: World) -> None:
    assert world.refusal_of(world.outsider, open_act(world)).name == "AccountRoleMissing"
    for changes in ({"plan": bytes(32)}, {"initialModel": bytes(32)}):
        assert world.refusal_of(world.researcher, open_act(world, **changes)).name == "DigestZero"
    refused = world.refusal_of(world.researcher, open_act(world, module=world.credits.address))
    assert (refused.name, refused.arguments) == (
        "ModuleNotApproved",
        (world.credits.address.lower(),),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, 0) for field in PARAMETERS if field.endswith("Sites")),
        *(
            (field, 0)
            for field in (
                "rounds",
                "consentSeconds",
                "collectSeconds",
                "proposeSeconds",
                "attestSeconds",
                "maxProposals",
                "maxAttempts",
                "minimumUpdates",
                "maximumExamples",
            )
        ),
        ("quorumBasisPoints", 4_999),
        ("quorumBasisPoints", 10_001),
        ("targetSites", 1),
        ("maximumSites", 2),
        ("minimumUpdates", 7),
        ("targetUpdates", 1),
        ("targetUpdates", 7),
        ("stragglerPercent", 1),
        ("stragglerPercent", 10_001),
        ("creditsPerRound", HUGE + 1),
    ],
)
def test_open_reverts_with_parameter_invalid(world: World, field: str, value: int) -> None:
    act = open_act(world, parameters=encode_parameters(**{field: value}))
    refused = world.refusal_of(world.researcher, act)
    assert refused.name == "ParameterInvalid"
    assert refused.arguments == (field.encode().ljust(32, b"\0"), value)


def test_open_accepts_the_extremes(world: World) -> None:
    run = world.open(
        revealSeconds=0,
        graceSeconds=0,
        creditsPerRound=HUGE - 1,
        maximumSites=65_535,
        maxAttempts=255,
        quorumBasisPoints=10_000,
    )
    assert world.state(run)["phase"] == 1


def test_modules_are_approved_and_withdrawn_by_the_operator(world: World) -> None:
    acts, module = world.runs.functions, world.rounds.address
    assert acts.isApproved(module).call()
    run = world.open()
    receipt = world.send(world.operator, acts.withdrawModule(module))
    assert world.events(receipt)[0][0] == "ModuleWithdrawn"
    assert not acts.isApproved(module).call()
    assert world.refusal_of(world.researcher, open_act(world)).name == "ModuleNotApproved"
    assert world.refusal_of(world.operator, acts.withdrawModule(module)).name == "ModuleNotApproved"
    world.consent(run, world.parties[0])  # running ones go on
    assert (
        world.events(world.send(world.operator, acts.approveModule(module)))[0][0]
        == "ModuleApproved"
    )


def test_approve_module_reverts_for_others_and_for_no_contract(world: World) -> None:
    acts = world.runs.functions
    for act in (
        acts.approveModule(world.rounds.address),
        acts.withdrawModule(world.rounds.address),
    ):
        assert world.refusal_of(world.researcher, act).name == "AccountRoleMissing"
    refused = world.refusal_of(world.operator, acts.approveModule(world.outsider))
    assert (refused.name, refused.arguments) == ("ModuleInvalid", (world.outsider.lower(),))


def test_announce_emits_another_locator(world: World) -> None:
    party, act = world.parties[0], world.runs.functions.announce
    receipt = world.send(party.account, act(party.site, digest("blob"), digest("cid")))
    assert world.events(receipt) == [
        (
            "LocatorAnnounced",
            {"commitment": digest("blob"), "site": party.site, "locator": digest("cid")},
        )
    ]
    for arguments in ((bytes(32), digest("cid")), (digest("blob"), bytes(32))):
        assert world.refusal_of(party.account, act(party.site, *arguments)).name == "DigestZero"
    refused = world.refusal_of(world.outsider, act(party.site, digest("blob"), digest("cid")))
    assert refused.name == "AccountNotOfSite"


def test_an_unknown_run_is_refused_everywhere(world: World) -> None:
    party = world.parties[0]
    for run in (0, 999, (1 << 64) - 1):
        for act in (world.runs.functions.runOf(run), world.runs.functions.moduleOf(run)):
            assert world.refusal_of(world.outsider, act).name == "RunUnknown"
        for act in (
            world.rounds.functions.consent(run, party.site, 1),
            world.rounds.functions.advance(run),
            world.rounds.functions.abort(run),
            world.submission(run, party),
            world.attestation(run, party, round=1),
            world.objection(run, party, round=1),
        ):
            refused = world.refusal_of(party.account, act)
            assert (refused.name, refused.arguments) == ("PhaseWrong", (run, 0))
        assert world.rounds.functions.settlementOf(run, 1).call() == bytes(32)


def test_only_the_catalogue_starts_runs(world: World) -> None:
    refused = world.refusal_of(world.operator, world.rounds.functions.start(1, encode_parameters()))
    assert (refused.name, refused.arguments) == ("CallerNotCatalogue", (world.operator.lower(),))
    catalogue = world.runs.address
    run = world.open()
    world.chain.rpc("anvil_impersonateAccount", catalogue)
    refused = world.refusal_of(catalogue, world.rounds.functions.start(run, encode_parameters()))
    assert (refused.name, refused.arguments) == ("PhaseWrong", (run, 1))
