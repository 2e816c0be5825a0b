"""What a node does while submissions are collected."""

from __future__ import annotations

from fednet.domain.history import AttemptHistory
from fednet.node.acts import Act, Drop, Publish, Wait
from fednet.node.decide.batching import ask_whose_row, batch, hand_in, has_given
from fednet.node.decide.gating import pass_gate
from fednet.node.decide.masking import prepare, trains_meanwhile
from fednet.node.decide.sampling import draw, may_submit
from fednet.node.decide.standing import in_cohort, rank_of
from fednet.node.decide.steps import STAGGER_SECONDS, fetch, move_on
from fednet.node.decide.training import make_update
from fednet.node.places import find_attempt
from fednet.node.view import NodeView


def collect(view: NodeView) -> Act:
    """Give this site's update, then wait for those of others."""
    attempt = find_attempt(view.history, view.attempt_key)
    if attempt is None:
        return Wait("the log lags behind the chain")
    if late := move_on(view):
        return late
    act: Act = Wait("others are training", view.state.deadline + 1)
    if in_cohort(view, attempt):
        if step := draw(view, attempt):
            return step
        if step := ask_whose_row(view, attempt):
            return step
        if not has_given(view, attempt):
            act = _give_update(view, attempt)
    if not isinstance(act, Wait):
        return act
    if step := batch(view, attempt):
        return step
    if not view.plan.reveals_late and (step := fetch(view, view.attempt_key, attempt)):
        return step
    return _drop(view, attempt) or act


def _give_update(view: NodeView, attempt: AttemptHistory) -> Act:
    """Return the next step towards this site's submission."""
    key, facts = view.attempt_key, view.facts
    end = view.state.deadline + 1
    if not may_submit(view, attempt, view.history.consents[view.site].position):
        return Wait("others were drawn to train", end)
    if reason := facts.sat_out.get(key):
        return Wait(f"sitting this attempt out: {reason}", end)
    if key in facts.pledges:
        if not view.plan.reveals_late and key not in facts.published:
            return Publish(key)
        return hand_in(view, attempt)
    if facts.obstacle:
        return Wait(f"sitting this attempt out: {facts.obstacle}", end)
    if view.history.consents[view.site].expiry <= view.now:
        return Wait("the grant of this site's consent has expired", end)
    if view.plan.is_masked and (step := prepare(view, attempt)):
        is_free = isinstance(step, Wait) and view.facts.training is None
        return make_update(view) if is_free and trains_meanwhile(view) else step
    return pass_gate(view) or make_update(view)


def _drop(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """End the consent of a site that is waited for and cannot submit any more."""
    rank = rank_of(view)
    for site, consent in sorted(view.history.consents.items()):
        if site == view.site or site in view.history.ended or site in attempt.submissions:
            continue
        if not may_submit(view, attempt, consent.position):
            continue
        expired = consent.expiry <= view.now
        begins = max(view.state.since, consent.expiry if expired else 0)
        late_enough = view.now > begins + rank * STAGGER_SECONDS
        if (expired or site in view.lost) and late_enough:
            return Drop(site)
    return None
