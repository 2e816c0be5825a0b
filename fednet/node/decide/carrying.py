"""How a committee votes: each signs, and one of them carries the signatures of all."""

from __future__ import annotations

from fednet.domain.batches import committee_of
from fednet.domain.history import AttemptHistory, ProposalHistory
from fednet.domain.identity import Commitment
from fednet.node.acts import Act, Attest, Carry, Object, Voice, Wait
from fednet.node.decide.batching import REPEAT_SECONDS
from fednet.node.decide.standing import has_voted
from fednet.node.decide.steps import STAGGER_SECONDS
from fednet.node.view import NodeView, Vote

_CARRIERS = 3
"""Members that wait for one another to carry; after them each attests by itself."""
_MOST_CARRIED = 200
"""Attestations in one transaction: at 101 bytes each, nodes of a chain still pass it on."""


def is_asked(view: NodeView, proposal: ProposalHistory) -> bool:
    """Tell whether this site's attestation of a final proposal is wanted on the chain.

    Where a committee votes the others object, late and by name, or are silent.
    """
    if not view.plan.is_batched or proposal.committee is None:
        return True
    drawn = committee_of(proposal.committee)
    return view.history.consents[view.site].position in drawn


def vote_with_others(
    view: NodeView, attempt: AttemptHistory, proposal: ProposalHistory, vote: Vote
) -> Act:
    """Object at once, or sign and let one carry; by itself if nobody does."""
    key, carriage = view.proposal_key, view.facts.carriage
    end = view.state.deadline + 1
    if carriage.committee is None:
        return Wait("the committee is not drawn yet", end)
    if view.site not in carriage.committee:
        return Wait("a committee attests", end)
    if not vote.agrees:
        return Object(key, Commitment(vote.digest))
    if not carriage.is_open or key in carriage.refused:
        return Attest(key, vote.digest)
    first, last = carriage.voiced.get(key, (0, 0))
    if not first or view.now >= last + REPEAT_SECONDS:
        return Voice(key, vote.digest)
    here = [
        site
        for site in carriage.committee
        if site in carriage.votes and not has_voted(site, proposal)
    ]
    heard = sum(has_voted(site, proposal) for site in carriage.committee) + len(here)
    rank = carriage.committee.index(view.site)
    suffices = len(proposal.attestations) + len(here) >= view.state.quorum
    is_complete = rank == 0 and heard == len(carriage.committee)
    is_due = rank < _CARRIERS and view.now >= first + (rank + 1) * STAGGER_SECONDS
    if here and suffices and (is_complete or is_due):
        and_advance = not view.plan.evaluation.may_end
        return Carry(key, tuple(here[:_MOST_CARRIED]), and_advance)
    alone = first + (_CARRIERS + 1) * STAGGER_SECONDS
    if view.now >= alone:
        return Attest(key, vote.digest)
    return Wait("another carries this site's attestation", alone)
