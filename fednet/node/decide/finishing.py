"""How a final round is left: the next one begins, or the cohort ends the run."""

from __future__ import annotations

from fednet.node.acts import Act, Advance, Conclude, Wait
from fednet.node.decide.judging import judge
from fednet.node.decide.standing import MOST_RANKS, took_part
from fednet.node.decide.steps import STAGGER_SECONDS
from fednet.node.places import find_proposal
from fednet.node.view import NodeView


def begin_next(view: NodeView) -> Act:
    """Move on from a final round: whoever made it final by its vote at once, the others later."""
    proposal, quorum = find_proposal(view.history, view.proposal_key), view.state.quorum
    attestors = list(proposal.attestations) if proposal else []
    if len(attestors) < quorum:
        return Wait("the log lags behind the chain")
    if view.plan.evaluation.may_end and (step := _conclude(view)):
        return step
    consents, finalizer = view.history.consents, attestors[quorum - 1]
    behind = consents[view.site].position - consents[finalizer].position
    rank = min(behind % max(len(view.history.roster), 1), MOST_RANKS)
    mine = view.facts.seen_final.get(view.proposal_key, view.now) + rank * STAGGER_SECONDS
    if view.now >= mine:
        return Advance(view.state.deadline)
    return Wait("another begins the next round", mine)


def _conclude(view: NodeView) -> Act | None:
    """Vote to end the run if the final record, as recomputed here, says so; None if it goes on."""
    key = view.proposal_key
    # Whoever begins the next round all the same is followed: one member must not abort a run.
    if not took_part(view, key):
        return Wait("the cohort begins the next round or ends the run")
    if key not in view.facts.verified and key not in view.facts.disputed:
        return judge(view, key)
    if key not in view.facts.ending:
        return None
    if view.site in view.history.rounds[key.round].concluding:
        return Wait("members are ending the run")
    return Conclude(key.round)
