"""What parties do on a ledger, through the ports alone; for every suite about ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from fednet.credits.merkle import CreditLedger
from fednet.domain.identity import (
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import (
    Application,
    Parameters,
    Proposal,
    Role,
    Settlement,
    pack_inclusion,
    turn_position,
)
from fednet.domain.masking_stages import MaskingTimes
from fednet.domain.ports import LedgerReader, LedgerWriter

DAY_SECONDS = 86_400
EXAMPLES = 500
NODE_ROLES = Role.SITE | Role.AGGREGATOR
ALLOWANCE_WEI = 10**18
PARAMETERS = Parameters(
    rounds=2,
    consent_seconds=1_000,
    collect_seconds=1_000,
    reveal_seconds=0,
    grace_seconds=50,
    propose_seconds=500,
    attest_seconds=500,
    max_proposals=2,
    max_attempts=2,
    quorum_basis_points=5_000,
    minimum_sites=2,
    target_sites=3,
    maximum_sites=6,
    minimum_updates=2,
    target_updates=0,
    straggler_percent=0,
    maximum_examples=1_000,
    credits_per_round=1_000,
)


MASKING_TIMES = MaskingTimes(
    key_seconds=200, share_seconds=200, holding_seconds=200, freeze_seconds=100
)


class World(Protocol):
    """A ledger with funded accounts and a clock that can be moved."""

    @property
    def reader(self) -> LedgerReader: ...
    @property
    def operator(self) -> LedgerWriter: ...
    def writer(self, name: str) -> LedgerWriter: ...
    def pass_time(self, seconds: int) -> None: ...


@dataclass
class Hospital:
    """An admitted site and the writer of its node."""

    site: SiteId
    writer: LedgerWriter
    dataset: DatasetId
    grants: dict[RunId, GrantId] = field(default_factory=dict)


def commitment(*parts: object) -> Commitment:
    """Make a recognisable commitment."""
    return Commitment.of("/".join(str(part) for part in parts).encode())


def locator(*parts: object) -> Locator:
    """Make a recognisable locator."""
    return Locator(commitment("locator", *parts))


def application_of(world: World, writer: LedgerWriter, name: str) -> Application:
    """Describe an institution."""
    return Application(
        account=writer.address,
        name=name,
        metadata=commitment("metadata", name),
        encryption_key=bytes(commitment("key", name)),
        store_address="/dns4/hub.example/tcp/4001",
        deadline=world.reader.head().timestamp + DAY_SECONDS,
    )


def join(world: World, name: str) -> Hospital:
    """Apply, be admitted, register a dataset."""
    writer = world.writer(name)
    application = application_of(world, writer, name)
    receipt = world.operator.apply_for(application, writer.sign_application(application))
    site = SiteId(receipt.created)
    world.operator.admit(site, NODE_ROLES, ALLOWANCE_WEI)
    made = writer.register_dataset(
        site, commitment("description", name), commitment("data", name), EXAMPLES
    )
    return Hospital(site, writer, DatasetId(made.created))


def researcher_of(world: World) -> LedgerWriter:
    """Give a researcher of the consortium the role."""
    writer = world.writer("researcher")
    world.operator.set_account_roles(SiteId(0), writer.address, Role.RESEARCHER)
    return writer


def open_run(world: World, researcher: LedgerWriter, **changes: int) -> RunId:
    """Open a run with a plan that is only a commitment here."""
    receipt = researcher.open_run(
        world.reader.deployment.modules.plain,
        (commitment("plan"), locator("plan")),
        (commitment("model"), locator("model")),
        True,
        replace(PARAMETERS, **changes),
    )
    return RunId(receipt.created)


def consent(world: World, researcher: LedgerWriter, run: RunId, hospital: Hospital) -> None:
    """Request, grant, consent."""
    asked = researcher.request_access(hospital.dataset, commitment("purpose"), locator("purpose"))
    grant = GrantId(asked.created)
    expiry = world.reader.head().timestamp + DAY_SECONDS
    hospital.writer.grant_access(grant, commitment("terms"), locator("terms"), expiry)
    hospital.writer.consent(run, hospital.site, grant)
    hospital.grants[run] = grant


def started_run(world: World, names: Sequence[str] = ("a", "b", "c"), **changes: int) -> tuple[
    RunId, list[Hospital], LedgerWriter
]:  # fmt: skip
    """Bring a run to its first round."""
    researcher = researcher_of(world)
    hospitals = [join(world, name) for name in names]
    run = open_run(world, researcher, **changes)
    for hospital in hospitals:
        consent(world, researcher, run, hospital)
    return run, hospitals, researcher


def masked_run(world: World, names: Sequence[str] = ("a", "b", "c")) -> tuple[
    RunId, list[Hospital]
]:  # fmt: skip
    """Bring a masked run to its first round, in which the sites are to advertise keys."""
    researcher = researcher_of(world)
    hospitals = [join(world, name) for name in names]
    receipt = researcher.open_run(
        world.reader.deployment.modules.masked,
        (commitment("plan"), locator("plan")),
        (commitment("model"), locator("model")),
        True,
        replace(PARAMETERS, minimum_sites=len(names), target_sites=len(names)),
        masking=MASKING_TIMES,
    )
    run = RunId(receipt.created)
    for hospital in hospitals:
        consent(world, researcher, run, hospital)
    return run, hospitals


def mask_round(world: World, run: RunId, hospitals: Sequence[Hospital], inclusion: bytes) -> None:
    """Play a masked attempt until every site has disclosed its shares."""
    state = world.reader.state(run)
    place = run, state.round, state.attempt

    def at(hospital: Hospital) -> tuple[RunId, SiteId, RoundNumber, int]:
        return run, hospital.site, state.round, state.attempt

    for each in hospitals:
        keys = bytes(commitment("mask", each.site)), bytes(commitment("channel", each.site))
        each.writer.advertise_keys(*at(each), *keys)
    hospitals[0].writer.close_keys(run)
    for each in hospitals:
        dealing = commitment("dealing", *place, each.site)
        each.writer.deal_shares(*at(each), dealing, locator(dealing))
    for each in hospitals:
        each.writer.hold_shares(*at(each), bytes([each.site]))
    for each in hospitals:
        submit(world, run, each)
    turn = hospitals[turn_position(state.round, state.attempt, 1, state.roster_length)]
    turn.writer.propose_set(*at(turn), inclusion)
    for each in hospitals[: state.quorum]:
        each.writer.affirm_set(*at(each), 1)
    for each in hospitals:
        disclosed = commitment("disclosure", *place, each.site)
        each.writer.disclose_shares(*at(each), disclosed, locator(disclosed))


def request_release(
    run: RunId, hospital: Hospital, round_number: int = 1, attempt: int = 1
) -> None:
    """Ask the site's own airlock for the release of an update."""
    hospital.writer.request_release(
        run, RoundNumber(round_number), attempt, hospital.dataset, commitment("request")
    )


def submit(world: World, run: RunId, hospital: Hospital, weight: int = 100) -> None:
    """Submit an update to the current attempt."""
    state = world.reader.state(run)
    update = commitment("update", run, state.round, hospital.site)
    hospital.writer.submit(
        run, hospital.site, state.round, state.attempt, update, weight, locator(update)
    )


def earned_after(world: World, run: RunId, hospitals: Sequence[Hospital]) -> dict[SiteId, int]:
    """Share a round's credits equally, on top of those of the rounds before."""
    rounds = world.reader.state(run).final_rounds + 1
    share = PARAMETERS.credits_per_round // len(hospitals)
    return {hospital.site: rounds * share for hospital in hospitals}


def settlement_of(
    world: World, run: RunId, round_number: int, earned: dict[SiteId, int]
) -> Settlement:
    """Say what a round settles."""
    deployment = world.reader.deployment
    tree = CreditLedger(deployment.chain_id, deployment.credits, run)
    return Settlement(
        record=commitment("record", run, round_number),
        state=commitment("state", run, round_number),
        credits_root=tree.root(earned),
        credits_total=sum(earned.values()),
    )


def proposal_of(world: World, run: RunId, hospitals: Sequence[Hospital]) -> Proposal:
    """Propose that every submission counts; by the site whose turn it is."""
    state = world.reader.state(run)
    turn = turn_position(state.round, state.attempt, state.proposal, state.roster_length)
    settled = settlement_of(world, run, state.round, earned_after(world, run, hospitals))
    return Proposal(
        run=run,
        site=hospitals[turn].site,
        round=state.round,
        attempt=state.attempt,
        number=state.proposal,
        included=state.submitted,
        invalid=0,
        unavailable=0,
        credits_total=settled.credits_total,
        record=settled.record,
        record_locator=locator("record", run, state.round),
        state=settled.state,
        credits_root=settled.credits_root,
        inclusion=pack_inclusion({}),
    )


def propose(world: World, run: RunId, hospitals: Sequence[Hospital]) -> Proposal:
    """Send the proposal of the site whose turn it is."""
    proposal = proposal_of(world, run, hospitals)
    next(each for each in hospitals if each.site == proposal.site).writer.propose(proposal)
    return proposal


def attest(proposal: Proposal, hospital: Hospital) -> None:
    """Vouch for a proposal."""
    hospital.writer.attest(
        proposal.run, hospital.site, RoundNumber(proposal.round), proposal.attempt,
        proposal.number, Digest(commitment("witness", hospital.site)),
    )  # fmt: skip


def play_round(world: World, run: RunId, hospitals: Sequence[Hospital]) -> Proposal:
    """Play a round to its end; every site attests, then the first one begins the next round."""
    for hospital in hospitals:
        submit(world, run, hospital)
    proposal = propose(world, run, hospitals)
    for hospital in hospitals:
        attest(proposal, hospital)
    hospitals[0].writer.advance(run)
    return proposal
