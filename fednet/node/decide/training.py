"""What becomes of this site's training, which goes on aside while the node does all else.

1. A training is begun for an attempt, from the newest state, when this site has
   an update to give and none under way.
2. What is trained is wrapped for the attempt at hand. Without staleness that is
   the attempt that it was begun for; with it, any that takes its base.
3. A training that no attempt can use any more is stopped, or its result thrown away.
4. What was handed in is trained no second time: a site trains again when that is decided on.
"""

from __future__ import annotations

from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ledger import Phase
from fednet.domain.staleness import late_bases, state_after
from fednet.node.acts import Act, Discard, Train, Wait, Wrap
from fednet.node.decide.judging import judge
from fednet.node.decide.returning import catch_up
from fednet.node.decide.standing import last_final, took_part
from fednet.node.places import AttemptKey, TrainingOrder, final_key
from fednet.node.view import NodeView


def discard(view: NodeView) -> Discard | None:
    """Throw away a training that failed, that is spent, or that nobody could use any more."""
    training = view.facts.training
    if training is None:
        return None
    if training.failed or _is_spent(view, training.order) or not _fits(view, training.order):
        return Discard(training.order)
    return None


def make_update(view: NodeView) -> Act:
    """Return the next step towards an update for the attempt at hand."""
    if disputed := [
        key for key in view.facts.disputed if final_key(view.history, key.round) == key
    ]:
        number = min(disputed).round
        return Wait(
            f"own recomputation of round {number} gave another record than the final",
            view.state.deadline + 1,
        )
    training = view.facts.training
    if training is None:
        return _ground(view) or Train(view.attempt_key)
    if training.is_over:
        return Wrap(view.attempt_key)
    return Wait("this site is training", view.state.deadline + 1)


def _ground(view: NodeView) -> Act | None:
    """Return what is missing before one may train on the last final state; None if nothing."""
    last = final_key(view.history, last_final(view))
    if last is None or last in view.facts.verified:
        return None
    return judge(view, last) if took_part(view, last) else catch_up(view, view.state.round)


def _fits(view: NodeView, order: TrainingOrder) -> bool:
    """Tell whether an update from a training may still be handed in, now or later."""
    phase = view.state.phase
    if phase.is_over or not view.consents:
        return False
    if not view.plan.staleness.rounds:
        return phase is Phase.COLLECTING and order.key == view.attempt_key
    initial, number = Commitment(view.plan.model.commitment), view.state.round
    newest = state_after(RoundNumber(number - 1), view.history, initial)
    # A log that lags behind the chain does not name the newest state yet.
    if newest is None or order.base == newest:
        return True
    return order.base in late_bases(view.plan.staleness, view.history, initial, number)


def _is_spent(view: NodeView, order: TrainingOrder) -> bool:
    """Tell whether an update from a training stands on the chain."""
    for number, entry in view.history.rounds.items():
        if number < order.key.round:
            continue
        for attempt, found in entry.attempts.items():
            key = AttemptKey(number, attempt)
            mine, pledge = found.submissions.get(view.site), view.facts.pledges.get(key)
            if key >= order.key and mine and pledge and pledge.commitment == mine.commitment:
                return True
    return False
