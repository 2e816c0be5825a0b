"""Decide what a node does next: a pure function of what it sees.

1. Who has lost its standing, or never consented, does nothing.
2. A site that the chain says submitted what its journal does not know sits the
   attempt out: it never does a second, different act.
3. A vote that stands in the journal is the only one ever sent.
4. Nobody trains on the final state of a round it was part of unless its own recomputation
   confirms it; who joins later takes the state that chain and record name.
5. Deadlines are judged by the block's time; turns are staggered by roster
   position, so that all nodes do not act at once.
"""

from __future__ import annotations

from fednet.domain.history import AttemptHistory, ProposalHistory
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, Phase, Role, Standing, turn_position, unpack_inclusion
from fednet.node.acts import (
    Act,
    Advance,
    Attest,
    Conclude,
    Done,
    Drop,
    Fetch,
    Object,
    Preserve,
    Propose,
    Publish,
    Recompute,
    Submit,
    Train,
    Wait,
)
from fednet.node.places import (
    AttemptKey,
    ProposalKey,
    final_key,
    find_attempt,
    find_proposal,
    position_in,
)
from fednet.node.view import NodeView, Vote

STAGGER_SECONDS = 2
PRESERVE_AFTER_SECONDS = 30
"""How long a phase must last before old rounds are looked after: rounds in a hurry go first."""
_MAX_RANK = 9
"""Later ranks act together: by then nine nodes have failed to."""


def decide(view: NodeView) -> Act:
    """Choose one act; the same view always gives the same one."""
    if view.standing is not Standing.ACTIVE or not view.roles & Role.SITE:
        return Wait(f"this site's standing is {view.standing.name.lower()}")
    if view.site not in view.history.consents:
        return Wait("this site has not consented")
    late = _vote_on_final(view)
    if late is not None and not isinstance(late, Wait):
        return late
    act = _in_phase(view)
    if isinstance(act, Wait | Done):
        return _preserve(view) or (late if isinstance(act, Done) and late else act)
    return act


def _in_phase(view: NodeView) -> Act:
    match view.state.phase:
        case Phase.GATHERING:
            return _overdue(view) or Wait("sites are consenting", view.state.deadline + 1)
        case Phase.COLLECTING:
            return _collect(view)
        case Phase.PROPOSING:
            return _propose(view)
        case Phase.ATTESTING:
            return _attest(view)
        case Phase.FINAL:
            return _begin_next(view)
        case Phase.COMPLETED if view.history.completed:
            return Done("the run is complete")
        case Phase.ABORTED if view.history.aborted:
            return Done("the run was aborted")
        case Phase.COMPLETED | Phase.ABORTED:
            # A node that left now would never vote on the last round.
            return Wait("the log lags behind the chain")
        case Phase.NONE:
            return Wait("the chain does not know this run")


def _collect(view: NodeView) -> Act:
    attempt = find_attempt(view.history, view.attempt_key)
    if attempt is None:
        return Wait("the log lags behind the chain")
    if overdue := _overdue(view):
        return overdue
    if _in_cohort(view, attempt) and view.site not in attempt.submissions:
        act = _give_update(view)
        if not isinstance(act, Wait):
            return act
    else:
        act = Wait("others are training", view.state.deadline + 1)
    if not view.plan.reveals_late and (fetch := _fetch(view, view.attempt_key, attempt)):
        return fetch
    return _drop(view, attempt) or act


def _give_update(view: NodeView) -> Act:
    """Return the next step towards this site's submission."""
    key, facts = view.attempt_key, view.facts
    end = view.state.deadline + 1
    if reason := facts.sat_out.get(key):
        return Wait(f"sitting this attempt out: {reason}", end)
    if key in facts.pledges:
        if not view.plan.reveals_late and key not in facts.published:
            return Publish(key)
        return Submit(key)
    if facts.obstacle:
        return Wait(f"sitting this attempt out: {facts.obstacle}", end)
    if view.history.consents[view.site].expiry <= view.now:
        return Wait("the grant of this site's consent has expired", end)
    return _ground(view) or Train(key)


def _ground(view: NodeView) -> Act | None:
    """Return what is missing before one may train on the last final state; None if nothing."""
    last = final_key(view.history, _last_final(view))
    if last is None or last in view.facts.verified:
        return None
    if last in view.facts.disputed:
        return Wait(f"own recomputation of round {last.round} gave another record than the final")
    return _judge(view, last) if _took_part(view, last) else None


def _propose(view: NodeView) -> Act:
    attempt = find_attempt(view.history, view.attempt_key)
    # That submissions have closed is no event of its own; only a whole log says who submitted.
    if attempt is None or len(attempt.submissions) < view.state.submitted:
        return Wait("the log lags behind the chain")
    if overdue := _overdue(view):
        return overdue
    if step := _reveal(view, attempt) or _fetch(view, view.attempt_key, attempt):
        return step
    end = view.state.deadline + 1
    position = position_in(view.history, view.site, attempt.started.roster_length)
    eligible = _in_cohort(view, attempt) and view.roles & Role.AGGREGATOR
    if position is None or not eligible or _is_forgotten(view, view.attempt_key):
        return Wait("another site proposes", end)
    return _take_turn(view, attempt, position)


def _take_turn(view: NodeView, attempt: AttemptHistory, position: int) -> Act:
    """Propose if it is this site's turn and there is enough to propose."""
    key, timing = view.proposal_key, view.plan.timing
    roster_length = attempt.started.roster_length
    turn = turn_position(key.round, key.attempt, key.number, roster_length)
    rank = min((position - turn) % roster_length, _MAX_RANK)
    reveal_end = view.state.deadline - timing.propose_seconds
    grace_end = reveal_end + timing.grace_seconds
    opens = view.state.since if rank == 0 else grace_end + (rank - 1) * STAGGER_SECONDS
    if view.now < opens:
        return Wait("it is another's turn to propose", opens)
    if (intent := view.facts.intents.get(key)) is not None:
        return Propose(key, intent)
    missing = _missing(view, attempt)
    if missing and view.now < reveal_end:
        return Wait("updates are still being revealed", reveal_end)
    patient_until = reveal_end + timing.grace_seconds // 2
    if missing and view.now < patient_until:
        return Wait("updates are still under way", patient_until)
    if len(attempt.submissions) - len(missing) < view.plan.cohort.minimum_updates:
        return Wait("too few updates are available to propose", view.state.deadline + 1)
    if key in view.facts.unproposable:
        return Wait("these updates cannot be combined", view.state.deadline + 1)
    return Propose(key, missing)


def _attest(view: NodeView) -> Act:
    attempt = find_attempt(view.history, view.attempt_key)
    proposal = find_proposal(view.history, view.proposal_key)
    if attempt is None or proposal is None:
        return Wait("the log lags behind the chain")
    if overdue := _overdue(view):
        return overdue
    if step := _reveal(view, attempt):
        return step
    wait = Wait("members are attesting", view.state.deadline + 1)
    if _has_voted(view.site, proposal) or not _in_cohort(view, attempt):
        return wait
    if _is_forgotten(view, view.attempt_key):
        return wait
    return _vote(view, view.proposal_key) or _judge(view, view.proposal_key)


def _begin_next(view: NodeView) -> Act:
    """Move on from a final round: whoever made it final by its vote at once, the others later."""
    proposal, quorum = find_proposal(view.history, view.proposal_key), view.state.quorum
    attestors = list(proposal.attestations) if proposal else []
    if len(attestors) < quorum:
        return Wait("the log lags behind the chain")
    if view.plan.evaluation.may_end and (step := _conclude(view)):
        return step
    consents, finalizer = view.history.consents, attestors[quorum - 1]
    behind = consents[view.site].position - consents[finalizer].position
    rank = min(behind % max(len(view.history.roster), 1), _MAX_RANK)
    mine = view.facts.seen_final.get(view.proposal_key, view.now) + rank * STAGGER_SECONDS
    if view.now >= mine:
        return Advance(view.state.deadline)
    return Wait("another begins the next round", mine)


def _conclude(view: NodeView) -> Act | None:
    """Vote to end the run if the final record, as recomputed here, says so; None if it goes on."""
    key = view.proposal_key
    # Whoever begins the next round all the same is followed: one member must not abort a run.
    if not _took_part(view, key):
        return Wait("the cohort begins the next round or ends the run")
    if key not in view.facts.verified and key not in view.facts.disputed:
        return _judge(view, key)
    if key not in view.facts.ending:
        return None
    if view.site in view.history.rounds[key.round].concluding:
        return Wait("members are ending the run")
    return Conclude(key.round)


def _vote_on_final(view: NodeView) -> Act | None:
    """Vote late on the last final round; None if that is done or not ours to do."""
    key = final_key(view.history, _last_final(view))
    attempt = find_attempt(view.history, key.attempt_key) if key else None
    proposal = find_proposal(view.history, key) if key else None
    if key is None or attempt is None or proposal is None:
        return None
    if not _took_part(view, key) or _has_voted(view.site, proposal):
        return None
    if _is_forgotten(view, key.attempt_key) or _has_voted_since(view, key):
        return None
    return _vote(view, key) or _judge(view, key)


def _vote(view: NodeView, key: ProposalKey) -> Act | None:
    vote: Vote | None = view.facts.votes.get(key)
    if vote is None:
        return None
    if vote.agrees:
        return Attest(key, vote.digest)
    return Object(key, Commitment(vote.digest))


def _judge(view: NodeView, key: ProposalKey) -> Act:
    """Recompute a proposal as soon as its bytes are here."""
    attempt = find_attempt(view.history, key.attempt_key)
    proposal = find_proposal(view.history, key)
    if attempt is None or proposal is None:
        return Wait("the log lags behind the chain")
    unavailable = _excused(view, key, attempt, proposal)
    missing = _missing(view, attempt) - unavailable
    if not missing:
        return Recompute(key, unavailable)
    return _fetch(view, key.attempt_key, attempt) or Wait("fetching the updates to recompute")


def _excused(
    view: NodeView, key: ProposalKey, attempt: AttemptHistory, proposal: ProposalHistory
) -> frozenset[SiteId]:
    """List the sites that the recomputation treats as unavailable.

    In an attempt's first proposal a member that holds the bytes contradicts;
    from the second on their absence is no ground for an objection.
    """
    roster_length = attempt.started.roster_length
    submitted = {
        position: site
        for site in attempt.submissions
        if (position := position_in(view.history, site, roster_length)) is not None
    }
    verdicts = unpack_inclusion(proposal.proposed.inclusion, submitted)
    if verdicts is None:
        return frozenset()
    is_final = final_key(view.history, key.round) == key
    claimed = {
        submitted[at] for at, verdict in verdicts.items() if verdict is Inclusion.UNAVAILABLE
    }
    if key.number > 1 or is_final:
        return frozenset(claimed)
    return frozenset(claimed & _missing(view, attempt))


def _reveal(view: NodeView, attempt: AttemptHistory) -> Act | None:
    key = view.attempt_key
    if view.site not in attempt.submissions or _is_forgotten(view, key):
        return None
    return None if key in view.facts.published else Publish(key)


def _fetch(view: NodeView, key: AttemptKey, attempt: AttemptHistory) -> Act | None:
    wanted = _missing(view, attempt)
    idle = tuple(
        site
        for site in sorted(wanted)
        if attempt.submissions[site].commitment not in view.facts.fetching
    )
    return Fetch(key, idle) if idle else None


def _drop(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """End the consent of a site that is waited for and cannot submit any more."""
    rank = _rank(view)
    for site, consent in sorted(view.history.consents.items()):
        if site == view.site or site in view.history.ended or site in attempt.submissions:
            continue
        if consent.position >= attempt.started.roster_length:
            continue
        expired = consent.expiry <= view.now
        begins = max(view.state.since, consent.expiry if expired else 0)
        late_enough = view.now > begins + rank * STAGGER_SECONDS
        if (expired or site in view.lost) and late_enough:
            return Drop(site)
    return None


def _overdue(view: NodeView) -> Act | None:
    """Advance after the deadline: the nearest in rank at once, the others later."""
    deadline = view.state.deadline
    if view.now <= deadline:
        return None
    mine = deadline + 1 + _rank(view) * STAGGER_SECONDS
    return Advance(deadline) if view.now >= mine else Wait("another may move the run on", mine)


def _last_final(view: NodeView) -> RoundNumber:
    """Name the last round that the log calls final; 0 for the initial model."""
    return RoundNumber(view.history.final_rounds)


def _preserve(view: NodeView) -> Act | None:
    """Pick the oldest final round that is not preserved, once there is time for it."""
    quiet = view.state.phase.is_over or view.now >= view.state.since + PRESERVE_AFTER_SECONDS
    for key in sorted(view.facts.verified) if quiet else ():
        is_final = final_key(view.history, key.round) == key
        if is_final and key.round not in view.facts.preserved:
            return Preserve(key.round)
    return None


def _rank(view: NodeView) -> int:
    """Give this site its place in the queue for acts that one node suffices for."""
    state = view.state
    length = max(len(view.history.roster), 1)
    position = view.history.consents[view.site].position
    return min((position + state.round + state.attempt + state.proposal) % length, _MAX_RANK)


def _in_cohort(view: NodeView, attempt: AttemptHistory) -> bool:
    consent = view.history.consents.get(view.site)
    return (
        consent is not None and view.consents and consent.position < attempt.started.roster_length
    )


def _took_part(view: NodeView, key: ProposalKey) -> bool:
    attempt = find_attempt(view.history, key.attempt_key)
    mine = attempt is not None and view.site in attempt.submissions
    return mine or (attempt is not None and _in_cohort(view, attempt))


def _is_forgotten(view: NodeView, key: AttemptKey) -> bool:
    """Tell whether the chain knows a submission of ours that the journal does not."""
    attempt = find_attempt(view.history, key)
    mine = attempt.submissions.get(view.site) if attempt else None
    if mine is None:
        return False
    pledge = view.facts.pledges.get(key)
    return pledge is None or pledge.commitment != mine.commitment


def _has_voted(site: SiteId, proposal: ProposalHistory) -> bool:
    return site in proposal.attestations or site in proposal.objections


def _has_voted_since(view: NodeView, key: ProposalKey) -> bool:
    """Tell whether this site voted on a later proposal: the chain takes none before that."""
    later = view.history.rounds.get(RoundNumber(key.round + 1))
    return later is not None and any(
        _has_voted(view.site, proposal)
        for attempt in later.attempts.values()
        for proposal in attempt.proposals.values()
    )


def _missing(view: NodeView, attempt: AttemptHistory) -> frozenset[SiteId]:
    key = AttemptKey(attempt.started.round, attempt.started.attempt)
    own = view.facts.pledges.get(key)
    return frozenset(
        site
        for site, submission in attempt.submissions.items()
        if submission.commitment not in view.facts.held
        and not (own and site == view.site and own.commitment == submission.commitment)
    )
