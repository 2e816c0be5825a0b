"""What a node does while a proposal is awaited."""

from __future__ import annotations

from fednet.domain.history import AttemptHistory
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Role, turn_position
from fednet.node.acts import Act, Propose, Wait
from fednet.node.decide.encrypting import await_sum
from fednet.node.decide.masking import frozen_unavailable, settle_set
from fednet.node.decide.returning import catch_up
from fednet.node.decide.standing import MOST_RANKS, in_cohort, is_forgotten, missing_of
from fednet.node.decide.steps import STAGGER_SECONDS, fetch, move_on, reveal
from fednet.node.places import find_attempt, position_in
from fednet.node.view import NodeView


def propose(view: NodeView) -> Act:
    """Reveal, gather the bytes of others, and propose when it is this site's turn."""
    attempt = find_attempt(view.history, view.attempt_key)
    # That submissions have closed is no event of its own; only a whole log says who submitted.
    if attempt is None or len(attempt.submissions) < view.state.submitted:
        return Wait("the log lags behind the chain")
    if late := move_on(view):
        return late
    if step := reveal(view, attempt) or fetch(view, view.attempt_key, attempt):
        return step
    if view.plan.is_masked and (step := settle_set(view, attempt)):
        return step
    end = view.state.deadline + 1
    position = position_in(view.history, view.site, attempt.started.roster_length)
    eligible = in_cohort(view, attempt) and view.roles & Role.AGGREGATOR
    if position is None or not eligible or is_forgotten(view, view.attempt_key):
        return Wait("another site proposes", end)
    return _take_turn(view, attempt, position)


def _take_turn(view: NodeView, attempt: AttemptHistory, position: int) -> Act:
    """Propose if it is this site's turn and there is enough to propose."""
    key, timing = view.proposal_key, view.plan.timing
    roster_length = attempt.started.roster_length
    turn = turn_position(key.round, key.attempt, key.number, roster_length)
    rank = min((position - turn) % roster_length, MOST_RANKS)
    reveal_end = view.state.deadline - timing.propose_seconds
    grace_end = reveal_end + timing.grace_seconds
    opens = view.state.since if rank == 0 else grace_end + (rank - 1) * STAGGER_SECONDS
    if view.now < opens:
        return Wait("it is another's turn to propose", opens)
    if step := catch_up(view, key.round):
        return step
    if step := await_sum(view, key.attempt_key):
        return step
    if (intent := view.facts.intents.get(key)) is not None:
        return Propose(key, intent)
    missing = missing_of(view, attempt)
    if view.plan.is_masked:
        return _propose_frozen(view, attempt, missing)
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


def _propose_frozen(view: NodeView, attempt: AttemptHistory, missing: frozenset[SiteId]) -> Act:
    """Propose what the frozen set sums to, once all that it counts is here."""
    key, end = view.proposal_key, view.state.deadline + 1
    left_out = frozen_unavailable(view, attempt)
    if missing - left_out:
        return Wait("updates that the frozen set counts are under way", end)
    if key in view.facts.unproposable:
        return Wait("these updates cannot be combined", end)
    return Propose(key, left_out)
