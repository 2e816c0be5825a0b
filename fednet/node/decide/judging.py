"""How a node judges proposals, and votes: in time, or late on a final one."""

from __future__ import annotations

from fednet.domain.identity import Commitment
from fednet.node.acts import Act, Attest, Object, Recompute, Wait
from fednet.node.decide.carrying import is_asked, vote_with_others
from fednet.node.decide.encrypting import unhide
from fednet.node.decide.returning import catch_up
from fednet.node.decide.standing import (
    excused,
    has_voted,
    has_voted_since,
    in_cohort,
    is_forgotten,
    last_final,
    missing_of,
    took_part,
)
from fednet.node.decide.steps import fetch, move_on, reveal
from fednet.node.places import ProposalKey, final_key, find_attempt, find_proposal
from fednet.node.view import NodeView, Vote


def attest(view: NodeView) -> Act:
    """Judge the proposal at hand and vote on it, once."""
    attempt = find_attempt(view.history, view.attempt_key)
    proposal = find_proposal(view.history, view.proposal_key)
    if attempt is None or proposal is None:
        return Wait("the log lags behind the chain")
    if late := move_on(view):
        return late
    if step := reveal(view, attempt):
        return step
    wait = Wait("members are attesting", view.state.deadline + 1)
    if has_voted(view.site, proposal) or not in_cohort(view, attempt):
        return wait
    if is_forgotten(view, view.attempt_key):
        return wait
    vote = view.facts.votes.get(view.proposal_key)
    if vote is None:
        return judge(view, view.proposal_key)
    if not view.plan.is_batched:
        return _sent(view.proposal_key, vote)
    return vote_with_others(view, attempt, proposal, vote)


def vote_on_final(view: NodeView) -> Act | None:
    """Vote late on the last final round; None if that is done or not ours to do."""
    key = final_key(view.history, last_final(view))
    attempt = find_attempt(view.history, key.attempt_key) if key else None
    proposal = find_proposal(view.history, key) if key else None
    if key is None or attempt is None or proposal is None:
        return None
    if not took_part(view, key) or has_voted(view.site, proposal):
        return None
    if is_forgotten(view, key.attempt_key) or has_voted_since(view, key):
        return None
    vote = view.facts.votes.get(key)
    if vote is None:
        return judge(view, key)
    if vote.agrees and not is_asked(view, proposal):
        return None
    return _sent(key, vote)


def _sent(key: ProposalKey, vote: Vote) -> Act:
    if vote.agrees:
        return Attest(key, vote.digest)
    return Object(key, Commitment(vote.digest))


def judge(view: NodeView, key: ProposalKey) -> Act:
    """Recompute a proposal as soon as its bytes are here."""
    attempt = find_attempt(view.history, key.attempt_key)
    proposal = find_proposal(view.history, key)
    if attempt is None or proposal is None:
        return Wait("the log lags behind the chain")
    unavailable = excused(view, key, attempt, proposal)
    missing = missing_of(view, attempt) - unavailable
    if missing and (step := fetch(view, key.attempt_key, attempt)):
        return step
    if step := catch_up(view, key.round):
        return step
    if missing:
        return Wait("fetching the updates to recompute")
    if step := unhide(view, key.attempt_key):
        return step
    return Recompute(key, unavailable)
