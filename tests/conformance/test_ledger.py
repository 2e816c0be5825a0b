"""One suite for every ledger: what the ports promise, on Anvil and on Ganache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fednet.credits.merkle import CreditLedger, settlement_hash
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    DatasetId,
    GrantId,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import AccessStatus, Inclusion, Phase, Role, Standing, unpack_inclusion
from fednet.domain.running_hash import running_hash_of
from fednet.errors import LedgerError, RevertedError
from tests import ledger_acts as acts
from tests.ledger_acts import World


@pytest.fixture
def world(chain_world: World) -> World:
    return chain_world


def test_site_lives_from_application_to_revocation(world: World) -> None:
    hospital = acts.join(world, "St. Anna, Köln")
    reader, operator, site = world.reader, world.operator, hospital.site

    held = reader.site(site)
    assert held.account == hospital.writer.address
    assert held.standing is Standing.ACTIVE
    assert held.roles == acts.NODE_ROLES
    assert held.encryption_key == acts.commitment("key", "St. Anna, Köln")
    assert reader.account(hospital.writer.address) == (site, acts.NODE_ROLES)
    assert reader.site_count() == 1

    hospital.writer.rotate_key(site, b"\7" * 32)
    hospital.writer.move_store(site, "/ip4/127.0.0.1/tcp/4001")
    operator.suspend(site)
    assert reader.site(site).standing is Standing.SUSPENDED
    operator.reinstate(site)
    operator.rotate_account(site, world.writer("spare").address)
    operator.revoke(site)
    held = reader.site(site)
    assert (held.standing, held.key_version, held.account_version) == (Standing.REVOKED, 2, 2)

    applied, admitted, moved = reader.events([ev.SiteApplied, ev.SiteAdmitted, ev.SiteStoreMoved])
    assert isinstance(applied, ev.SiteApplied)
    assert applied.name == "St. Anna, Köln"
    assert isinstance(admitted, ev.SiteAdmitted)
    assert (admitted.roles, admitted.allowance) == (acts.NODE_ROLES, acts.ALLOWANCE_WEI)
    assert isinstance(moved, ev.SiteStoreMoved)
    assert moved.store_address == "/ip4/127.0.0.1/tcp/4001"
    standings = [
        event.standing
        for event in reader.events([ev.SiteStandingChanged])
        if isinstance(event, ev.SiteStandingChanged)
    ]
    assert standings == [Standing.SUSPENDED, Standing.ACTIVE, Standing.REVOKED]


def test_admission_pays_for_gas(world: World) -> None:
    before = world.reader.balance_wei(world.writer("newcomer").address)
    writer = world.writer("newcomer")
    application = acts.application_of(world, writer, "newcomer")
    created = world.operator.apply_for(application, writer.sign_application(application)).created
    world.operator.admit(SiteId(created), acts.NODE_ROLES, 12_345)
    assert world.reader.balance_wei(writer.address) == before + 12_345


def test_application_signed_by_another_is_refused(world: World) -> None:
    application = acts.application_of(world, world.writer("victim"), "victim")
    signature = world.writer("thief").sign_application(application)
    with pytest.raises(RevertedError) as caught:
        world.operator.apply_for(application, signature)
    assert caught.value.error == "ApplicationSignatureInvalid"
    assert caught.value.hint


def test_access_lives_from_request_to_revocation(world: World) -> None:
    researcher, hospital = acts.researcher_of(world), acts.join(world, "a")
    dataset = world.reader.dataset(hospital.dataset)
    assert (dataset.site, dataset.examples, dataset.closed) == (hospital.site, acts.EXAMPLES, False)

    grant = GrantId(
        researcher.request_access(
            hospital.dataset, acts.commitment("purpose"), acts.locator("purpose")
        ).created
    )
    access = world.reader.access(grant)
    assert (access.status, access.researcher) == (AccessStatus.REQUESTED, researcher.address)

    expiry = world.reader.head().timestamp + acts.DAY_SECONDS
    hospital.writer.grant_access(grant, acts.commitment("terms"), acts.locator("terms"), expiry)
    access = world.reader.access(grant)
    assert (access.status, access.expiry) == (AccessStatus.GRANTED, expiry)
    hospital.writer.revoke_access(grant)
    assert world.reader.access(grant).status is AccessStatus.REVOKED

    second = GrantId(
        researcher.request_access(
            hospital.dataset, acts.commitment("purpose"), acts.locator("purpose")
        ).created
    )
    hospital.writer.deny_access(second, ZERO_DIGEST)
    hospital.writer.close_dataset(hospital.dataset)
    assert world.reader.dataset(hospital.dataset).closed
    kinds = [
        type(event)
        for event in world.reader.events(
            [ev.AccessRequested, ev.AccessGranted, ev.AccessDenied, ev.AccessRevoked]
        )
    ]
    assert kinds == [
        ev.AccessRequested, ev.AccessGranted, ev.AccessRevoked, ev.AccessRequested, ev.AccessDenied,
    ]  # fmt: skip


def test_run_lives_from_opening_to_claimed_credits(world: World) -> None:
    run, hospitals, researcher = acts.started_run(world)
    reader = world.reader

    opened = reader.run(run)
    assert (opened.researcher, opened.plan) == (researcher.address, acts.commitment("plan"))
    assert reader.run_count() == 1
    assert reader.parameters(run) == acts.PARAMETERS
    member = reader.member(run, hospitals[1].site)
    assert (member.position, member.consenting, member.grant) == (1, True, hospitals[1].grants[run])
    assert member.maximum_examples == acts.EXAMPLES

    state = reader.state(run)
    assert (state.phase, state.round, state.attempt) == (Phase.COLLECTING, 1, 1)
    assert (state.cohort, state.quorum, state.consenting) == (3, 2, 3)

    first = acts.play_round(world, run, hospitals)
    settled = acts.settlement_of(world, run, 1, {h.site: 333 for h in hospitals})
    assert first.credits_root == settled.credits_root
    assert reader.settlement(run, RoundNumber(1)) == settlement_hash(settled)
    assert reader.state(run).round == 2

    acts.play_round(world, run, hospitals)
    state = reader.state(run)
    assert (state.phase, state.final_rounds) == (Phase.COMPLETED, 2)
    assert state.credits_granted == 1_998

    earned = {hospital.site: 666 for hospital in hospitals}
    tree = CreditLedger(reader.deployment.chain_id, reader.deployment.credits, run)
    claimant, other = hospitals[0], hospitals[1]
    claimant.writer.claim(
        run, claimant.site, RoundNumber(2), acts.settlement_of(world, run, 2, earned), 666,
        tree.proof(earned, claimant.site),
    )  # fmt: skip
    claimant.writer.transfer_credits(run, claimant.site, other.site, 100)
    account = reader.credit_account(run, claimant.site)
    assert (account.claimed, account.balance) == (666, 566)
    assert reader.credit_account(run, other.site).balance == 100
    assert reader.credit_total(run) == (666, True)
    (claimed,) = reader.events([ev.CreditsClaimed])
    assert isinstance(claimed, ev.CreditsClaimed)
    assert (claimed.round_number, claimed.amount) == (2, 666)


def test_run_events_tell_the_run_in_order_and_fold_to_the_running_hash(world: World) -> None:
    run, hospitals, _ = acts.started_run(world)
    proposal = acts.play_round(world, run, hospitals)
    events = world.reader.run_events(run)
    assert [type(event) for event in events] == [
        ev.ConsentGiven, ev.ConsentGiven, ev.ConsentGiven, ev.AttemptStarted,
        ev.UpdateSubmitted, ev.UpdateSubmitted, ev.UpdateSubmitted, ev.SubmissionsClosed,
        ev.RoundProposed, ev.RoundAttested, ev.RoundAttested, ev.RoundFinalized,
        ev.RoundAttested, ev.AttemptStarted,
    ]  # fmt: skip
    assert all(event.run == run for event in events)
    assert running_hash_of(event.log for event in events) == world.reader.running_hash(run)

    proposed = events[8]
    assert isinstance(proposed, ev.RoundProposed)
    assert (proposed.record, proposed.inclusion) == (proposal.record, proposal.inclusion)
    included = dict.fromkeys(range(3), Inclusion.INCLUDED)
    assert unpack_inclusion(proposed.inclusion, range(3)) == included

    later = events[8].log.block  # the proposal logs first that submissions had closed
    assert world.reader.run_events(run, later) == events[7:]
    assert world.reader.run_events(run, world.reader.head().number + 1) == []


def test_deadlines_are_the_blocks_business(world: World) -> None:
    run, hospitals, _ = acts.started_run(world)
    acts.submit(world, run, hospitals[0])
    acts.submit(world, run, hospitals[1])
    with pytest.raises(RevertedError) as early:
        hospitals[0].writer.advance(run)
    assert early.value.error == "DeadlineAhead"
    assert early.value.arguments["run"] == run

    world.pass_time(acts.PARAMETERS.collect_seconds + 1)
    with pytest.raises(RevertedError) as late:
        acts.submit(world, run, hospitals[2])
    assert late.value.error == "DeadlinePassed"
    hospitals[0].writer.advance(run)
    assert world.reader.state(run).phase is Phase.PROPOSING


def test_objections_end_a_proposal_and_abort_ends_the_run(world: World) -> None:
    run, hospitals, researcher = acts.started_run(world)
    for hospital in hospitals:
        acts.submit(world, run, hospital)
    proposal = acts.propose(world, run, hospitals)
    for hospital in hospitals[:2]:
        hospital.writer.object_to(
            run, hospital.site, RoundNumber(1), 1, proposal.number, Commitment(b"\1" * 32)
        )
    state = world.reader.state(run)
    assert (state.phase, state.proposal) == (Phase.PROPOSING, 2)
    researcher.abort(run)
    assert world.reader.state(run).phase is Phase.ABORTED
    assert isinstance(world.reader.run_events(run)[-1], ev.RunAborted)


def test_consent_can_be_withdrawn_and_dropped(world: World) -> None:
    run, hospitals, researcher = acts.started_run(world)
    hospitals[0].writer.withdraw(run, hospitals[0].site)
    world.operator.revoke(hospitals[1].site)
    researcher.drop(run, hospitals[1].site)
    assert world.reader.state(run).consenting == 1
    assert not world.reader.member(run, hospitals[1].site).consenting
    with pytest.raises(RevertedError) as caught:
        researcher.drop(run, hospitals[2].site)
    assert caught.value.error == "ConsentInOrder"


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("twice", "AlreadySubmitted"),
        ("in another's name", "AccountNotOfSite"),
        ("zero commitment", "CommitmentZero"),
        ("too heavy", "WeightInvalid"),
        ("another round", "PlaceWrong"),
    ],
)
def test_submission_is_refused(world: World, what: str, error: str) -> None:
    run, hospitals, _ = acts.started_run(world, ("a", "b"), target_sites=2)
    site, weight, digest, number = hospitals[0].site, 100, acts.commitment("u"), RoundNumber(1)
    if what == "twice":
        acts.submit(world, run, hospitals[0])
    site = hospitals[1].site if what == "in another's name" else site
    digest = Commitment(ZERO_DIGEST) if what == "zero commitment" else digest
    weight = acts.EXAMPLES + 1 if what == "too heavy" else weight
    number = RoundNumber(2) if what == "another round" else number
    with pytest.raises(RevertedError) as caught:
        hospitals[0].writer.submit(run, site, number, 1, digest, weight, acts.locator("u"))
    assert caught.value.error == error


def test_roles_are_asked_for(world: World) -> None:
    hospital = acts.join(world, "a")
    with pytest.raises(RevertedError) as caught:
        acts.open_run(world, hospital.writer)
    assert caught.value.error == "AccountRoleMissing"
    assert caught.value.arguments["account"] == hospital.writer.address
    with pytest.raises(RevertedError) as outsider:
        hospital.writer.approve_module(world.reader.deployment.modules.plain)
    assert outsider.value.error == "AccountRoleMissing"
    world.operator.set_account_roles(SiteId(0), world.writer("second").address, Role.OPERATOR)
    world.writer("second").withdraw_module(world.reader.deployment.modules.plain)
    world.writer("second").approve_module(world.reader.deployment.modules.plain)
    assert len(world.reader.events([ev.ModuleApproved, ev.ModuleWithdrawn])) == 6


def test_unknown_ids_are_ledger_errors(world: World) -> None:
    for ask in (
        lambda: world.reader.site(SiteId(9)),
        lambda: world.reader.dataset(DatasetId(9)),
        lambda: world.reader.access(GrantId(9)),
        lambda: world.reader.run(RunId(9)),
        lambda: world.reader.run(RunId(-1)),
        lambda: world.reader.state(RunId(1 << 70)),
        lambda: world.reader.run_events(RunId(9)),
    ):
        with pytest.raises(LedgerError) as caught:
            ask()
        assert caught.value.hint


def test_bad_parameters_name_the_field(world: World) -> None:
    researcher = acts.researcher_of(world)
    with pytest.raises(RevertedError) as caught:
        acts.open_run(world, researcher, quorum_basis_points=4_999)
    assert caught.value.error == "ParameterInvalid"
    assert caught.value.arguments == {"field": "quorumBasisPoints", "value": 4_999}
    with pytest.raises(LedgerError):
        acts.open_run(world, researcher, max_attempts=256)


def test_locators_can_be_announced(world: World) -> None:
    hospital, blob = acts.join(world, "a"), acts.commitment("blob")
    hospital.writer.announce(hospital.site, blob, acts.locator("here"))
    hospital.writer.announce(hospital.site, acts.commitment("other"), acts.locator("else"))
    hospital.writer.announce(hospital.site, blob, acts.locator("there"))
    assert world.reader.announced(blob) == [acts.locator("here"), acts.locator("there")]


def test_wei_can_be_sent(world: World) -> None:
    to = world.writer("poor").address
    before = world.reader.balance_wei(to)
    receipt = world.operator.send_wei(to, 7)
    assert world.reader.balance_wei(to) == before + 7
    assert receipt.gas_used == 21_000
    assert receipt.created == 0


def test_proposal_out_of_turn_waits_for_the_grace_period(world: World) -> None:
    run, hospitals, _ = acts.started_run(world)
    for hospital in hospitals:
        acts.submit(world, run, hospital)
    due = acts.proposal_of(world, run, hospitals)
    other = next(each for each in hospitals if each.site != due.site)
    with pytest.raises(RevertedError) as caught:
        other.writer.propose(replace(due, site=other.site))
    assert caught.value.error == "TurnOfAnother"
    world.pass_time(acts.PARAMETERS.grace_seconds + 1)
    other.writer.propose(replace(due, site=other.site))
    assert world.reader.state(run).phase is Phase.ATTESTING


def test_module_says_what_its_runs_say(world: World) -> None:
    run, hospitals, researcher = acts.started_run(world)
    other = acts.open_run(world, researcher)
    acts.consent(world, researcher, other, hospitals[0])
    said = world.reader.module_events([world.reader.deployment.modules.plain])
    each = [*world.reader.run_events(run), *world.reader.run_events(other)]
    assert list(said) == sorted(each, key=lambda event: event.log)
    assert world.reader.module_events([]) == []
    last = said[-1].log.block
    assert {event.log.block for event in world.reader.module_events(
        [world.reader.deployment.modules.plain], last)} == {last}  # fmt: skip


def test_a_quorum_ends_a_run_early(world: World) -> None:
    run, hospitals, _ = acts.started_run(world)
    for hospital in hospitals:
        acts.submit(world, run, hospital)
    proposal = acts.propose(world, run, hospitals)
    for hospital in hospitals[:2]:
        acts.attest(proposal, hospital)
    first = RoundNumber(1)
    hospitals[0].writer.conclude(run, hospitals[0].site, first)
    with pytest.raises(RevertedError) as caught:
        hospitals[0].writer.conclude(run, hospitals[0].site, first)
    assert caught.value.error == "AlreadyConcluding"
    hospitals[1].writer.conclude(run, hospitals[1].site, first)
    state, history = world.reader.state(run), RunHistory.of(run, world.reader.run_events(run))
    assert (state.phase, state.final_rounds) == (Phase.COMPLETED, 1)
    assert history.rounds[first].concluding.keys() == {each.site for each in hospitals[:2]}
    assert history.completed is not None
    assert history.completed.rounds == 1


def test_a_stage_waits_for_stragglers_as_long_as_its_deadline_says(world: World) -> None:
    run, hospitals, _ = acts.started_run(world, target_updates=2, straggler_percent=100)
    assert world.reader.parameters(run).straggler_percent == 100
    acts.submit(world, run, hospitals[0])
    before = world.reader.state(run)
    world.pass_time(100)
    acts.submit(world, run, hospitals[1])
    state = world.reader.state(run)
    assert (before.expected, state.expected, state.submitted) == (2, 3, 2)
    assert state.phase is Phase.COLLECTING
    assert state.since + 200 <= state.deadline < before.deadline
    world.pass_time(state.deadline - state.since)
    with pytest.raises(RevertedError) as caught:
        acts.submit(world, run, hospitals[2])
    assert caught.value.error == "DeadlinePassed"
    hospitals[2].writer.advance(run)
    assert world.reader.state(run).phase is Phase.PROPOSING


def test_a_stage_closes_on_as_many_as_the_plan_aims_at(world: World) -> None:
    run, hospitals, _ = acts.started_run(world, target_updates=2)
    assert world.reader.parameters(run).target_updates == 2
    for hospital in hospitals[:2]:
        acts.submit(world, run, hospital)
    state = world.reader.state(run)
    assert (state.phase, state.submitted, state.cohort) == (Phase.PROPOSING, 2, 3)
    late = acts.commitment("late")
    with pytest.raises(RevertedError) as caught:
        hospitals[2].writer.submit(
            run, hospitals[2].site, RoundNumber(1), 1, late, 100, acts.locator(late)
        )
    assert caught.value.error == "PhaseWrong"
