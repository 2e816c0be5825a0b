"""What becomes of an update between its training and its submission: the airlock's gate.

1. An update leaves only after it was decided that it may, and after the ledger
   was told of that where somebody tells it.
2. Who waits for a person's answer goes on with everything else; nobody waits
   longer than the round does.
3. What was asked for an attempt that is over is decided, too: it stays.
4. An update that stays costs its site the attempt and is no failure; one that a
   person returned is made again while there is as much time left as it took.
"""

from __future__ import annotations

from fednet.domain.airlock import AirlockStep
from fednet.domain.ledger import Phase
from fednet.node.acts import Act, Judge, Release, Settle, Tell, Wait
from fednet.node.places import AttemptKey
from fednet.node.view import Held, NodeView


def expire(view: NodeView) -> Settle | None:
    """Decide on what was asked for attempts that take no updates any more."""
    for key, held in sorted(view.facts.requests.items()):
        if held.step is None and not _takes_updates(view, key):
            return Settle(key, in_time=False)
    return None


def tell(view: NodeView) -> Tell | None:
    """Tell the ledger the oldest thing that it does not know of the airlock."""
    return Tell(view.facts.untold[0]) if view.facts.untold else None


def pass_gate(view: NodeView) -> Act | None:
    """Return the next step of an update for the attempt at hand; None if none was made."""
    key, end = view.attempt_key, view.state.deadline + 1
    held = view.facts.requests.get(key)
    if held is not None and not _is_made_again(view, held):
        return _follow(view, key, held)
    examination = view.facts.examination
    if examination is None or examination.key != key:
        return None
    if examination.is_over:
        return Judge(key)
    return Wait("this site's airlock looks into the update", end)


def _follow(view: NodeView, key: AttemptKey, held: Held) -> Act:
    if held.step is AirlockStep.APPROVED:
        return tell(view) or Release(key)
    if held.step is not None:
        return Wait(
            f"sitting this attempt out: the airlock keeps update {held.number} in, {held.why}",
            view.state.deadline + 1,
        )
    if held.waits and view.now <= held.deadline:
        return Wait(
            f"a person decides on update {held.number}: fednet airlock show {held.number}",
            held.deadline + 1,
        )
    return Settle(key, in_time=True)


def _is_made_again(view: NodeView, held: Held) -> bool:
    """Tell whether another update takes a returned one's place, or has the time to."""
    if held.step is not AirlockStep.RETURNED:
        return False
    if view.facts.training is not None or view.facts.examination is not None:
        return True
    return view.now + max(0, held.asked - view.state.since) <= view.state.deadline


def _takes_updates(view: NodeView, key: AttemptKey) -> bool:
    return key == view.attempt_key and view.state.phase is Phase.COLLECTING
