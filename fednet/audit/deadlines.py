"""Checks 20 to 22: acts by the time of their blocks, turns, and what the plan bounds.

Whose clock the blocks show is the chain's, and the contract refuses what is late.
A finding therefore speaks of a chain that did not keep its rules, and accuses no site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fednet.audit.checks import DEADLINES, PLAN_KEPT, TURNS, Check
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import turn_position
from fednet.domain.plan import Plan

_ProposalKey = tuple[RoundNumber, int, int]


@dataclass(slots=True)
class _Clock:
    snapshot: Snapshot
    plan: Plan
    cohorts: Mapping[Key, Cohort]
    findings: Findings
    collect_until: dict[Key, int] = field(default_factory=dict)
    begun: int = 0
    """When the attempt at hand began."""
    submitted: set[SiteId] = field(default_factory=set)
    """Sites that have submitted to it."""
    propose_until: int = 0
    attest_until: dict[_ProposalKey, int] = field(default_factory=dict)
    voters: dict[_ProposalKey, set[SiteId]] = field(default_factory=dict)
    last_submission: int = 0

    def time(self, event: ev.LedgerEvent) -> int:
        return self.snapshot.blocks[event.log.block].timestamp


def check_deadlines(
    snapshot: Snapshot, plan: Plan, cohorts: Mapping[Key, Cohort], findings: Findings
) -> None:
    """Walk the run's events once, keeping the deadlines that the plan sets."""
    clock = _Clock(snapshot, plan, cohorts, findings)
    for event in unfold(snapshot.run_events):
        match event:
            case ev.AttemptStarted():
                _start(clock, event)
            case ev.UpdateSubmitted():
                _submit(clock, event)
            case ev.SubmissionsClosed():
                _close(clock, event)
            case ev.RoundProposed():
                _propose(clock, event)
            case ev.RoundAttested() | ev.RoundObjected():
                _vote(clock, event)
            case ev.ProposalEnded():
                clock.propose_until = event.deadline
                another = event.proposal < plan.timing.max_proposals
                expected = clock.time(event) + plan.timing.propose_seconds if another else 0
                _require_deadline(clock, event, expected)
            case ev.RunCompleted() if event.rounds > plan.rounds:
                _deviate(clock, f"run {event.run}", "completed", plan.rounds, event.rounds)
            case _:
                pass


def _start(clock: _Clock, event: ev.AttemptStarted) -> None:
    plan, key = clock.plan, (event.round, event.attempt)
    clock.collect_until[key] = event.deadline
    clock.last_submission = clock.begun = clock.time(event)
    clock.submitted = set()
    _require_deadline(clock, event, clock.time(event) + plan.timing.collect_seconds)
    for name, most, actual in (
        ("round", plan.rounds, event.round),
        ("attempt", plan.timing.max_attempts, event.attempt),
        ("cohort", plan.cohort.maximum_sites, event.cohort),
    ):
        if actual > most:
            _deviate(clock, f"round {event.round}", name, f"at most {most}", actual, event.round)


def _submit(clock: _Clock, event: ev.UpdateSubmitted) -> None:
    now, key, plan = clock.time(event), (event.round, event.attempt), clock.plan
    clock.last_submission = now
    until = clock.collect_until.get(key, 0)
    _require_in_time(clock, event, "submission", event.site, until)
    clock.submitted.add(event.site)
    if plan.timing.straggler_percent and len(clock.submitted) == plan.cohort.target_updates:
        # Stragglers are waited for from here on, in proportion to what these took.
        wait = (now - clock.begun) * plan.timing.straggler_percent // 100
        clock.collect_until[key] = min(until, now + wait)


def _close(clock: _Clock, event: ev.SubmissionsClosed) -> None:
    """The log may tell later what ended earlier, but not before the last submission."""
    timing = clock.plan.timing
    clock.propose_until = event.deadline
    closed = event.deadline - timing.reveal_seconds - timing.propose_seconds
    if not clock.last_submission <= closed <= clock.time(event):
        _report(
            clock,
            DEADLINES,
            "deadline-differs",
            f"round {event.round}, attempt {event.attempt}",
            "submissions closed at another time than the plan and the blocks give",
            f"between {clock.last_submission} and {clock.time(event)}",
            closed,
            event.round,
        )


def _propose(clock: _Clock, event: ev.RoundProposed) -> None:
    timing, now = clock.plan.timing, clock.time(event)
    clock.attest_until[(event.round, event.attempt, event.proposal)] = event.deadline
    _require_in_time(clock, event, "proposal", event.site, clock.propose_until)
    _require_deadline(clock, event, now + timing.attest_seconds)
    if event.proposal > timing.max_proposals:
        most = f"at most {timing.max_proposals}"
        _deviate(clock, f"round {event.round}", "proposal", most, event.proposal, event.round)
    cohort = clock.cohorts.get((event.round, event.attempt))
    if cohort is None or not cohort.roster_length:
        return
    turn = turn_position(event.round, event.attempt, event.proposal, cohort.roster_length)
    open_to_all = clock.propose_until - timing.propose_seconds + timing.grace_seconds
    if cohort.positions.get(event.site) != turn and now < open_to_all:
        _report(
            clock,
            TURNS,
            "turn-of-another",
            f"proposal {event.proposal} of round {event.round}, attempt {event.attempt}",
            f"site {event.site} proposed before the turn's site had its time",
            f"position {turn}, or after {open_to_all}",
            f"position {cohort.positions.get(event.site)} at {now}",
            event.round,
        )


def _vote(clock: _Clock, event: ev.RoundAttested | ev.RoundObjected) -> None:
    """Votes on a proposal that is final already are welcome at any time."""
    key = (event.round, event.attempt, event.proposal)
    cohort = clock.cohorts.get(key[:2])
    voters = clock.voters.setdefault(key, set())
    if cohort is None or len(voters) < cohort.quorum:
        _require_in_time(clock, event, "vote", event.site, clock.attest_until.get(key, 0))
    if isinstance(event, ev.RoundAttested):
        voters.add(event.site)


def _require_in_time(
    clock: _Clock,
    event: ev.UpdateSubmitted | ev.RoundProposed | ev.RoundAttested | ev.RoundObjected,
    act: str,
    site: SiteId,
    until: int,
) -> None:
    if clock.time(event) > until:
        _report(
            clock,
            DEADLINES,
            "late",
            f"{act} of site {site} in round {event.round}, attempt {event.attempt}",
            "its block is later than the deadline",
            f"at most {until}",
            clock.time(event),
            event.round,
        )


def _require_deadline(
    clock: _Clock, event: ev.AttemptStarted | ev.RoundProposed | ev.ProposalEnded, expected: int
) -> None:
    if event.deadline != expected:
        _report(
            clock,
            DEADLINES,
            "deadline-differs",
            f"round {event.round}, attempt {event.attempt}",
            "the deadline is not the block's time and the plan's duration",
            expected,
            event.deadline,
            event.round,
        )


def _deviate(
    clock: _Clock,
    subject: str,
    name: str,
    expected: object,
    actual: object,
    round_number: RoundNumber | None = None,
) -> None:
    message = f"{name}: beyond what the plan says"
    _report(clock, PLAN_KEPT, "plan-deviation", subject, message, expected, actual, round_number)


def _report(
    clock: _Clock,
    check: Check,
    code: str,
    subject: str,
    message: str,
    expected: object,
    actual: object,
    round_number: RoundNumber | None,
) -> None:
    clock.findings.add(
        check,
        code,
        subject,
        message,
        round_number=round_number,
        duty=CHAIN_DUTY,
        expected=expected,
        actual=actual,
    )
