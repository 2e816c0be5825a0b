"""What decisions ask of a view: who is in, who voted, whose bytes are missing, whose turn it is."""

from __future__ import annotations

from fednet.codec import Reason
from fednet.domain.batches import BatchedUpdate
from fednet.domain.history import AttemptHistory, ProposalHistory
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.node.places import AttemptKey, ProposalKey, final_key, find_attempt, position_in
from fednet.node.view import NodeView

MOST_RANKS = 9
"""Later ranks act together: by then nine nodes have failed to."""


def missing_of(view: NodeView, attempt: AttemptHistory) -> frozenset[SiteId]:
    """List the sites whose submitted bytes are not here, and would be of use.

    What is encrypted is sealed to aggregators: of it a site needs the sum alone.
    """
    if view.plan.is_encrypted:
        return frozenset()
    key = AttemptKey(attempt.started.round, attempt.started.attempt)
    own, rows = view.facts.pledges.get(key), view.facts.carriage.rows.get(key, {})
    missing = set()
    for site, submission in attempt.submissions.items():
        if isinstance(submission, BatchedUpdate):
            verdict = rows.get(site)
            if verdict is None:
                missing.add(site)
            if verdict is None or isinstance(verdict, Reason):
                # Whatever a refused row's bytes are, they count for nothing.
                continue
        # Whoever else hands one's own bytes in, they are here, wherever it says they are.
        is_own = own is not None and own.commitment == submission.commitment
        if not is_own and submission.commitment not in view.facts.held:
            missing.add(site)
    return frozenset(missing)


def excused(
    view: NodeView, key: ProposalKey, attempt: AttemptHistory, proposal: ProposalHistory
) -> frozenset[SiteId]:
    """List the sites that the recomputation treats as unavailable.

    In an attempt's first proposal a member that holds the bytes contradicts;
    from the second on their absence is no ground for an objection. Of masked updates
    it is settled before, by the set that was frozen.
    """
    if view.plan.is_encrypted:
        return frozenset()  # The sum says it.
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
    if key.number > 1 or is_final or view.plan.is_masked:
        return frozenset(claimed)
    return frozenset(claimed & missing_of(view, attempt))


def in_cohort(view: NodeView, attempt: AttemptHistory) -> bool:
    """Tell whether this site's consent stands and was frozen with the attempt."""
    consent = view.history.consents.get(view.site)
    return (
        consent is not None and view.consents and consent.position < attempt.started.roster_length
    )


def took_part(view: NodeView, key: ProposalKey) -> bool:
    """Tell whether this site submitted to the proposal's attempt or is in its cohort."""
    attempt = find_attempt(view.history, key.attempt_key)
    mine = attempt is not None and view.site in attempt.submissions
    return mine or (attempt is not None and in_cohort(view, attempt))


def is_forgotten(view: NodeView, key: AttemptKey) -> bool:
    """Tell whether the chain knows a submission of ours that the journal does not."""
    attempt = find_attempt(view.history, key)
    mine = attempt.submissions.get(view.site) if attempt else None
    if mine is None:
        return False
    pledge = view.facts.pledges.get(key)
    if pledge is not None and pledge.commitment == mine.commitment:
        return False
    return not (isinstance(mine, BatchedUpdate) and is_forged(view, key))


def is_forged(view: NodeView, key: AttemptKey) -> bool:
    """Tell whether the row in this site's name is known not to be its own."""
    verdict = view.facts.carriage.rows.get(key, {}).get(view.site)
    return isinstance(verdict, Reason)


def has_voted(site: SiteId, proposal: ProposalHistory) -> bool:
    """Tell whether a site attested or objected to a proposal."""
    return site in proposal.attestations or site in proposal.objections


def has_voted_since(view: NodeView, key: ProposalKey) -> bool:
    """Tell whether this site voted on a later proposal: the chain takes none before that."""
    later = view.history.rounds.get(RoundNumber(key.round + 1))
    return later is not None and any(
        has_voted(view.site, proposal)
        for attempt in later.attempts.values()
        for proposal in attempt.proposals.values()
    )


def rank_of(view: NodeView) -> int:
    """Give this site its place in the queue for acts that one node suffices for."""
    state = view.state
    length = max(len(view.history.roster), 1)
    position = view.history.consents[view.site].position
    return min((position + state.round + state.attempt + state.proposal) % length, MOST_RANKS)


def last_final(view: NodeView) -> RoundNumber:
    """Name the last round that the log calls final; 0 for the initial model."""
    return RoundNumber(view.history.final_rounds)
