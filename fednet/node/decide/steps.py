"""Steps that belong to several phases: moving on after a deadline, publishing, fetching."""

from __future__ import annotations

from fednet.domain.history import AttemptHistory
from fednet.node.acts import Act, Advance, Fetch, Publish, Wait
from fednet.node.decide.standing import is_forgotten, missing_of, rank_of
from fednet.node.places import AttemptKey
from fednet.node.view import NodeView

STAGGER_SECONDS = 2
"""Between the turns of nodes for an act that one of them suffices for."""


def move_on(view: NodeView) -> Act | None:
    """Advance after the deadline: the nearest in rank at once, the others later."""
    deadline = view.state.deadline
    if view.now <= deadline:
        return None
    mine = deadline + 1 + rank_of(view) * STAGGER_SECONDS
    return Advance(deadline) if view.now >= mine else Wait("another may move the run on", mine)


def reveal(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Publish this site's own bytes, once submissions have closed."""
    key = view.attempt_key
    if view.site not in attempt.submissions or is_forgotten(view, key):
        return None
    return None if key in view.facts.published else Publish(key)


def fetch(view: NodeView, key: AttemptKey, attempt: AttemptHistory) -> Act | None:
    """Begin to fetch what is not here and not under way; None if nothing is left to begin."""
    wanted = missing_of(view, attempt)
    idle = tuple(
        site
        for site in sorted(wanted)
        if attempt.submissions[site].commitment not in view.facts.fetching
    )
    return Fetch(key, idle) if idle else None
