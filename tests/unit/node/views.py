"""Small views of a run, built from the events that the chain would give."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from fednet.codec import update_size_limit_bytes
from fednet.domain import events as ev
from fednet.domain.blobs import Wanted
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Inclusion, Phase, Role, RunState, Standing, pack_inclusion
from fednet.domain.plan import Plan
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.places import AttemptKey, ProposalKey
from fednet.node.view import NodeFacts, NodeView, Pledge

RUN = RunId(1)
START = 1_000
COLLECT, REVEAL, GRACE, PROPOSE, ATTEST = 100, 20, 10, 200, 300
NODE_ROLES = Role.SITE | Role.AGGREGATOR


def make_plan(reveal_seconds: int = REVEAL, minimum_updates: int = 2) -> Plan:
    return Plan.validated(
        {
            "name": "view",
            "rounds": 9,
            "task": {"source": "digits", "digest": "0" * 64},
            "model": {"commitment": "1" * 64, "size_bytes": 100},
            "cohort": {
                "minimum_sites": 3,
                "target_sites": 3,
                "minimum_updates": minimum_updates,
            },
            "timing": {
                "collect_seconds": COLLECT,
                "reveal_seconds": reveal_seconds,
                "grace_seconds": GRACE,
                "propose_seconds": PROPOSE,
                "attest_seconds": ATTEST,
            },
        },
        "plan",
    )


PLAN = make_plan()


def commitment_of(site: int, round_number: int = 1, attempt: int = 1) -> Commitment:
    return Commitment.of(f"update {site} {round_number} {attempt}".encode())


def pledge_of(site: int, round_number: int = 1, attempt: int = 1) -> Pledge:
    commitment = commitment_of(site, round_number, attempt)
    return Pledge(commitment, Locator(bytes(commitment)), 10, "update")


def attempt_key(round_number: int = 1, attempt: int = 1) -> AttemptKey:
    return AttemptKey(RoundNumber(round_number), attempt)


def proposal_key(round_number: int = 1, attempt: int = 1, number: int = 1) -> ProposalKey:
    return ProposalKey(RoundNumber(round_number), attempt, number)


@dataclass
class Chain:
    """Play the rounds module's part: keep state and log in step."""

    sites: int = 3
    plan: Plan = PLAN
    now: int = START
    log: list[ev.RunEvent] = field(default_factory=list)
    state: RunState = field(
        default_factory=lambda: RunState(
            Phase.GATHERING, RoundNumber(0), 0, 0, START, START + 50, *(0,) * 10
        )
    )

    def __post_init__(self) -> None:
        for number in range(1, self.sites + 1):
            self.consent(number, number - 1)

    def add(self, kind: type[ev.RunEvent], *arguments: Any) -> None:
        log = ev.Log(len(self.log), 0, Digest(bytes(32)), Address("0x"))
        self.log.append(kind(log, RUN, *arguments))

    def move(self, phase: Phase, seconds: int, **changes: Any) -> None:
        self.state = replace(
            self.state, phase=phase, since=self.now, deadline=self.now + seconds, **changes
        )

    def consent(self, site: int, position: int, expiry: int = 1 << 39) -> Chain:
        self.add(ev.ConsentGiven, SiteId(site), GrantId(site), position, 50, expiry)
        return self

    def end(self, site: int) -> Chain:
        self.add(ev.ConsentEnded, SiteId(site), GrantId(site))
        return self

    def start(self, round_number: int = 1, attempt: int = 1, roster_length: int = 3) -> Chain:
        self.move(
            Phase.COLLECTING, COLLECT, round=round_number, attempt=attempt, proposal=0,
            expected=3, submitted=0, quorum=2,
        )  # fmt: skip
        self.add(ev.AttemptStarted, round_number, attempt, 3, roster_length, 2, self.state.deadline)
        return self

    def submit(self, *sites: int) -> Chain:
        number, attempt = self.state.round, self.state.attempt
        for site in sites:
            blob = commitment_of(site, number, attempt)
            self.state = replace(self.state, submitted=self.state.submitted + 1)
            self.add(
                ev.UpdateSubmitted,
                number,
                SiteId(site),
                attempt,
                0,
                blob,
                10,
                Locator(bytes(blob)),
            )
        return self

    def close(self) -> Chain:
        """Close submissions; the log hears of it from the next act that moves the run."""
        self.move(Phase.PROPOSING, self.plan.timing.reveal_seconds + PROPOSE, proposal=1)
        return self

    def log_closing(self) -> None:
        state = self.state
        self.add(ev.SubmissionsClosed, state.round, state.attempt, state.submitted, state.deadline)

    def propose(self, site: int, **verdicts: Inclusion) -> Chain:
        if self.state.proposal == 1:
            self.log_closing()
        self.move(Phase.ATTESTING, ATTEST)
        names = {f"s{number}": number - 1 for number in range(1, self.sites + 1)}
        inclusion = pack_inclusion({names[name]: verdict for name, verdict in verdicts.items()})
        blob = Commitment.of(b"record")
        self.add(
            ev.RoundProposed,
            self.state.round,
            SiteId(site),
            self.state.attempt,
            self.state.proposal,
            1000,
            blob,
            Locator(bytes(blob)),
            blob,
            Digest(blob),
            self.state.deadline,
            inclusion,
        )
        return self

    def attest(self, *sites: int) -> Chain:
        for site in sites:
            self.add(
                ev.RoundAttested,
                self.state.round,
                SiteId(site),
                self.state.attempt,
                self.state.proposal,
                Digest(b"\x01" * 32),
            )
        return self

    def object(self, site: int) -> Chain:
        self.add(
            ev.RoundObjected,
            self.state.round,
            SiteId(site),
            self.state.attempt,
            self.state.proposal,
            Commitment(b"\x02" * 32),
        )
        return self

    def end_proposal(self) -> Chain:
        state = self.state
        self.move(Phase.PROPOSING, PROPOSE, proposal=state.proposal + 1)
        self.add(ev.ProposalEnded, state.round, state.attempt, state.proposal, self.state.deadline)
        return self

    def finalize(self) -> Chain:
        state = self.state
        self.add(ev.RoundFinalized, state.round, state.attempt, state.proposal)
        self.state = replace(state, phase=Phase.FINAL)
        return self

    def complete(self) -> Chain:
        self.add(ev.RunCompleted, self.state.round)
        self.move(Phase.COMPLETED, 0)
        return self

    def abort(self) -> Chain:
        self.add(ev.RunAborted, self.state.round, Address("0x"))
        self.move(Phase.ABORTED, 0)
        return self

    def view(
        self,
        site: int = 1,
        *,
        after: int = 0,
        held: tuple[int, ...] = (),
        standing: Standing = Standing.ACTIVE,
        roles: Role = NODE_ROLES,
        lost: tuple[int, ...] = (),
        **facts: Any,
    ) -> NodeView:
        """See the run as a site does, some seconds after the phase began."""
        rounds = range(1, self.state.round + 1)
        attempts = range(1, self.state.attempt + 1)
        known = {
            commitment_of(other, number, attempt)
            for other in held
            for number in rounds
            for attempt in attempts
        }
        return NodeView(
            site=SiteId(site),
            roles=roles,
            standing=standing,
            now=self.state.since + after,
            plan=self.plan,
            state=self.state,
            history=RunHistory.of(RUN, self.log),
            facts=NodeFacts(**({"held": known} | facts)),
            lost=frozenset(SiteId(other) for other in lost),
        )


def closed_round(plan: Plan = PLAN) -> Chain:
    """Three sites have submitted to round 1; turn of position (1 + 1 + 1) % 3 = 0, site 1."""
    return Chain(plan=plan).start().submit(1, 2, 3).close()


def own(site: int = 1, round_number: int = 1, attempt: int = 1) -> dict[str, Any]:
    """Say what the journal knows after this site submitted and published."""
    key = attempt_key(round_number, attempt)
    return {"pledges": {key: pledge_of(site, round_number, attempt)}, "published": {key}}


def waits(view: NodeView) -> str:
    act = decide(view)
    assert isinstance(act, acts.Wait), act
    return act.reason


def fetching(*sites: int) -> dict[str, Any]:
    return {"fetching": {wanted_of(site) for site in sites}}


def wanted_of(site: int, round_number: int = 1) -> Wanted:
    """Name the blob that a site submits in a round, where it says it is."""
    commitment = commitment_of(site, round_number)
    return Wanted(commitment, Locator(bytes(commitment)), update_size_limit_bytes(PLAN))
