"""Checks 7, 8, 17 and 26: who was in, who submitted, and what made a round final.

One walk over the events in the order of the chain, keeping what the contract
keeps. It trusts the contract for nothing: a run on a chain that lies about its
own rules is found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fednet.audit.checks import COHORT, EARLY_END, FINALITY, SUBMISSIONS, Check
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.domain import events as ev
from fednet.domain.batches import BatchedUpdate, unfold
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.plan import Plan

BASIS_POINTS = 10_000
Key = tuple[RoundNumber, int]
"""Round and attempt."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who takes part in one attempt, frozen at its start."""

    members: dict[SiteId, ev.ConsentGiven]
    quorum: int
    quorum_to_end: int
    """Votes that end the run early: of the whole cohort, whoever attests."""
    roster_length: int
    begun: int
    """Seconds since 1970."""

    @property
    def positions(self) -> dict[SiteId, int]:
        """Return the members' roster positions."""
        return {site: consent.position for site, consent in self.members.items()}


@dataclass(slots=True)
class _Walk:
    plan: Plan
    findings: Findings
    consenting: dict[SiteId, ev.ConsentGiven] = field(default_factory=dict)
    roster_length: int = 0
    cohorts: dict[Key, Cohort] = field(default_factory=dict)
    current: Key = (RoundNumber(0), 0)
    submitted: set[SiteId] = field(default_factory=set)
    rows: set[SiteId] = field(default_factory=set)
    """Sites whose submission is a row of a batch, which their own takes the place of."""
    batch: tuple[ev.Log | None, int] = (None, 0)
    """The last batch, and how many had submitted before it."""
    closed: bool = False
    attested: dict[tuple[RoundNumber, int, int], set[SiteId]] = field(default_factory=dict)
    final_rounds: int = 0
    ending: dict[RoundNumber, set[SiteId]] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """Submissions after which the plan takes none, whatever the time; 0: as many as come."""
        return 0 if self.plan.timing.straggler_percent else self.plan.cohort.target_updates


def walk_cohorts(
    events: Sequence[ev.RunEvent], plan: Plan, findings: Findings
) -> dict[Key, Cohort]:
    """Check every act against the cohort it needs, and return the cohorts by attempt."""
    walk = _Walk(plan, findings)
    for event in unfold(events):
        match event:
            case ev.ConsentGiven():
                walk.consenting[event.site] = event
                walk.roster_length = max(walk.roster_length, event.position + 1)
            case ev.ConsentEnded():
                walk.consenting.pop(event.site, None)
            case ev.AttemptStarted():
                _begin(walk, event)
            case BatchedUpdate():
                _count_row(walk, event)
            case ev.UpdateSubmitted():
                _submit(walk, event)
            case ev.SubmissionsClosed():
                walk.closed = True
                _expect(walk, COHORT, event, "submissions", len(walk.submitted), event.submitted)
            case ev.RoundProposed():
                _expect(walk, COHORT, event, "submissions are closed", True, walk.closed)
            case ev.RoundAttested() | ev.RoundObjected():
                _vote(walk, event)
            case ev.RoundFinalized():
                _finalize(walk, event)
            case ev.RunConcluding():
                _vote_to_end(walk, event)
            case ev.RunCompleted():
                _complete(walk, event)
            case _:
                pass
    return walk.cohorts


def _begin(walk: _Walk, event: ev.AttemptStarted) -> None:
    before = walk.cohorts.get((event.round, event.attempt - 1))
    count = len(walk.consenting)
    drawn = walk.plan.module.committee_sites
    voters = drawn if 0 < drawn <= count else count
    quorum = max(_quorum_of(walk.plan, voters), before.quorum if before else 0)
    quorum_to_end = _quorum_of(walk.plan, count) if walk.plan.is_batched else quorum
    _expect(walk, COHORT, event, "cohort", count, event.cohort)
    _expect(walk, COHORT, event, "quorum", quorum, event.quorum)
    _expect(walk, COHORT, event, "roster length", walk.roster_length, event.roster_length)
    _expect(walk, FINALITY, event, "round", walk.final_rounds + 1, event.round)
    begun = event.deadline - walk.plan.timing.collect_seconds
    walk.current = (event.round, event.attempt)
    walk.cohorts[walk.current] = Cohort(
        dict(walk.consenting), quorum, quorum_to_end, event.roster_length, begun
    )
    walk.submitted, walk.rows, walk.closed = set(), set(), False


def _quorum_of(plan: Plan, voters: int) -> int:
    above = voters * plan.cohort.quorum_basis_points // BASIS_POINTS + 1
    return min(above, voters)


def _submit(walk: _Walk, event: ev.UpdateSubmitted) -> None:
    cohort = walk.cohorts.get((event.round, event.attempt))
    member = cohort.members.get(event.site) if cohort else None
    problem = ""
    if (event.round, event.attempt) != walk.current or walk.closed:
        problem = "outside its attempt"
    elif 0 < walk.most <= len(walk.submitted - walk.rows) + len(walk.rows - {event.site}):
        problem = "after as many had come as the plan aims at"
    elif cohort is None or member is None:
        problem = "by a site outside the cohort"
    elif event.site not in walk.consenting:
        problem = "after the consent ended"
    elif member.expiry <= cohort.begun:
        problem = "after the grant expired"
    elif event.site in walk.submitted - walk.rows:
        problem = "a second time"
    elif not 1 <= event.weight <= walk.consenting[event.site].maximum_examples:
        problem = "with a weight beyond its bound"
    if problem:
        walk.findings.add(
            SUBMISSIONS,
            "submission-unlawful",
            f"submission of site {event.site} in round {event.round}, attempt {event.attempt}",
            f"submitted {problem}",
            round_number=event.round,
            accused=event.site,
            actual=f"weight {event.weight}",
        )
    walk.submitted.add(event.site)
    walk.rows.discard(event.site)


def _count_row(walk: _Walk, event: BatchedUpdate) -> None:
    """Count a row; what the contract does not ask of it, the intake does."""
    if event.log != walk.batch[0]:
        walk.batch = (event.log, len(walk.submitted))
    cohort = walk.cohorts.get((event.round, event.attempt))
    member = cohort.members.get(event.site) if cohort else None
    problem = ""
    if (event.round, event.attempt) != walk.current or walk.closed:
        problem = "outside its attempt"
    elif 0 < walk.most <= walk.batch[1]:
        problem = "after as many had come as the plan aims at"
    elif member is None:
        problem = "of a site outside the cohort"
    if problem:
        walk.findings.add(
            SUBMISSIONS,
            "submission-unlawful",
            f"row of site {event.site} in round {event.round}, attempt {event.attempt}",
            f"counted {problem}",
            round_number=event.round,
            duty=CHAIN_DUTY,
        )
    walk.submitted.add(event.site)
    walk.rows.add(event.site)


def _vote(walk: _Walk, event: ev.RoundAttested | ev.RoundObjected) -> None:
    cohort = walk.cohorts.get((event.round, event.attempt))
    if cohort is None or event.site not in cohort.members:
        walk.findings.add(
            FINALITY,
            "vote-outside-cohort",
            f"vote of site {event.site} in round {event.round}, attempt {event.attempt}",
            "a site outside the cohort voted",
            round_number=event.round,
            accused=event.site,
        )
    elif isinstance(event, ev.RoundAttested):
        voters = walk.attested.setdefault((event.round, event.attempt, event.proposal), set())
        voters.add(event.site)


def _finalize(walk: _Walk, event: ev.RoundFinalized) -> None:
    cohort = walk.cohorts.get((event.round, event.attempt))
    voters = walk.attested.get((event.round, event.attempt, event.proposal), set())
    _expect(walk, FINALITY, event, "order of rounds", walk.final_rounds + 1, event.round)
    if cohort is None or len(voters) < cohort.quorum:
        walk.findings.add(
            FINALITY,
            "quorum-missing",
            f"round {event.round}",
            "became final without a quorum of attestations",
            round_number=event.round,
            expected=cohort.quorum if cohort else "a cohort",
            actual=len(voters),
        )
    walk.final_rounds += 1


def _vote_to_end(walk: _Walk, event: ev.RunConcluding) -> None:
    cohort = walk.cohorts.get(walk.current)
    is_now = event.round == walk.current[0] == walk.final_rounds
    if not is_now or cohort is None or event.site not in cohort.members:
        walk.findings.add(
            EARLY_END,
            "vote-outside-cohort",
            f"vote of site {event.site} to end the run with round {event.round}",
            "voted outside the cohort of the last final round",
            round_number=event.round,
            accused=event.site,
        )
        return
    walk.ending.setdefault(event.round, set()).add(event.site)


def _complete(walk: _Walk, event: ev.RunCompleted) -> None:
    last, cohort = walk.current[0], walk.cohorts.get(walk.current)
    votes = len(walk.ending.get(last, ()))
    is_last = event.rounds == walk.final_rounds == last
    if is_last and (last == walk.plan.rounds or (cohort and votes >= cohort.quorum_to_end)):
        return
    walk.findings.add(
        EARLY_END,
        "ended-without-quorum",
        f"run {event.run}",
        "was completed before its last round without a quorum of votes",
        duty=CHAIN_DUTY,
        expected=f"{walk.plan.rounds} rounds, or votes of a quorum",
        actual=f"{event.rounds} rounds, {votes} votes",
    )


def _expect(
    walk: _Walk,
    check: Check,
    event: ev.AttemptStarted | ev.SubmissionsClosed | ev.RoundProposed | ev.RoundFinalized,
    name: str,
    expected: object,
    actual: object,
) -> None:
    walk.findings.require_equal(
        check,
        "cohort-differs",
        f"round {event.round}, attempt {event.attempt}",
        f"{name}: the event is not what the events before add up to",
        expected,
        actual,
        round_number=event.round,
    )
