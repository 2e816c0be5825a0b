"""Part of checks 17 and 19: each committee drawn again, who voted before finality, who signed.

The contract refuses what is found here, so that a finding speaks of a chain
whose rules were not kept; it accuses no site.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fednet.audit.checks import FINALITY, MEMBERSHIP, Check
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.membership import Register
from fednet.audit.recomputation import settlement_of
from fednet.audit.sheets import SignerOf
from fednet.audit.snapshot import Snapshot
from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain.batch_events import CommitteeDrawn
from fednet.domain.batch_signing import Attestation, Module
from fednet.domain.batches import CarriedAttestation, Unfolding, committee_of, draw_committee
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.plan import Plan

_HASHES = 256
"""Blocks whose hashes a contract can still ask for."""
_Key = tuple[RoundNumber, int, int]
_Vote = ev.RoundAttested | ev.RoundObjected


@dataclass(slots=True)
class _Walk:
    snapshot: Snapshot
    plan: Plan
    signer_of: SignerOf
    findings: Findings
    module: Module
    register: Register = field(default_factory=Register)
    unfolding: Unfolding = field(default_factory=Unfolding)
    started: ev.AttemptStarted | None = None
    proposals: dict[_Key, ev.RoundProposed] = field(default_factory=dict)
    members: dict[_Key, set[SiteId]] = field(default_factory=dict)
    attested: dict[_Key, int] = field(default_factory=dict)


def check_committees(
    snapshot: Snapshot, plan: Plan, signer_of: SignerOf, findings: Findings
) -> None:
    """Check who voted on proposals before they were final, and whose signatures were carried."""
    if not plan.is_batched:
        return
    module = Module(snapshot.deployment.chain_id, snapshot.run.module)
    walk = _Walk(snapshot, plan, signer_of, findings, module)
    merged = [*snapshot.events, *snapshot.run_events]
    for event in sorted(merged, key=lambda each: (each.log.block, each.log.index)):
        if isinstance(event, ev.RunEvent):
            _take(walk, event)
        else:
            walk.register.take(event)


def _take(walk: _Walk, event: ev.RunEvent) -> None:
    match event:
        case ev.AttemptStarted():
            walk.started = event
        case ev.RoundProposed():
            walk.proposals[event.round, event.attempt, event.proposal] = event
        case CommitteeDrawn():
            _draw(walk, event)
        case _:
            pass
    for entry in (event, *walk.unfolding.take(event)):
        if isinstance(entry, CarriedAttestation):
            _verify(walk, entry)
        if isinstance(entry, _Vote):
            _vote(walk, entry)


def _draw(walk: _Walk, event: CommitteeDrawn) -> None:
    key = (event.round, event.attempt, event.proposal)
    proposed, started = walk.proposals.get(key), walk.started
    said = committee_of(event)
    seats = walk.unfolding.seats
    walk.members[key] = {seats[position] for position in said if position in seats}
    if proposed is None or started is None:
        _report(walk, FINALITY, event, "committee-differs", "drawn for no proposal", "", said)
        return
    first = proposed.log.block
    seed_block = first + (event.log.block - 1 - first) // _HASHES * _HASHES
    head = walk.snapshot.blocks.get(event.seed_block)
    expected = (
        draw_committee(
            head.block_hash, proposed, walk.plan.module.committee_sites, started.roster_length,
            seats.keys(),
        )
        if head
        else ()
    )  # fmt: skip
    if (event.seed_block, said) != (seed_block, expected):
        message = "the committee is not what the seed block's hash draws"
        _report(
            walk, FINALITY, event, "committee-differs", message, (seed_block, expected),
            (event.seed_block, said),
        )  # fmt: skip


def _vote(walk: _Walk, event: _Vote) -> None:
    """Refuse the votes of others while a proposal is not final; afterwards all are heard."""
    key, started = (event.round, event.attempt, event.proposal), walk.started
    size = walk.plan.module.committee_sites
    is_final = started is None or walk.attested.get(key, 0) >= started.quorum
    if started and size and size <= started.cohort and not is_final:
        members = walk.members.get(key, set())
        if event.site not in members:
            message = f"site {event.site} voted before finality, outside the committee"
            _report(
                walk,
                FINALITY,
                event,
                "vote-outside-committee",
                message,
                sorted(members),
                event.site,
            )
    if isinstance(event, ev.RoundAttested):
        walk.attested[key] = walk.attested.get(key, 0) + 1


def _verify(walk: _Walk, event: CarriedAttestation) -> None:
    proposed = walk.proposals.get((event.round, event.attempt, event.proposal))
    seat = walk.register.seats.get(event.site)
    if proposed is None or seat is None:
        return
    signed = Attestation(
        event.run, event.round, event.attempt, event.proposal, event.site,
        settlement_hash(settlement_of(proposed)), event.witness,
    )  # fmt: skip
    signer = walk.signer_of(walk.module.digest(signed), event.signature)
    if signer != seat.account:
        message = f"the attestation of site {event.site} is not signed by its account"
        _report(walk, MEMBERSHIP, event, "attestation-unsigned", message, seat.account, signer)


def _report(
    walk: _Walk,
    check: Check,
    event: CommitteeDrawn | _Vote,
    code: str,
    message: str,
    expected: object,
    actual: object,
) -> None:
    walk.findings.add(
        check,
        code,
        f"proposal {event.proposal} of round {event.round}, attempt {event.attempt}",
        message,
        round_number=event.round,
        duty=CHAIN_DUTY,
        expected=expected,
        actual=actual,
    )
