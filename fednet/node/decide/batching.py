"""How updates are handed in with others: by the site, and by the aggregator whose turn it is.

Where the plan has no batches, or no message can be had, a site submits by itself.
"""

from __future__ import annotations

from fednet.domain.batches import BatchedUpdate, sheet_size_bytes
from fednet.domain.blobs import Wanted
from fednet.domain.history import AttemptHistory
from fednet.domain.ledger import Role
from fednet.node.acts import Act, Batch, Fetch, HandIn, Submit, Wait
from fednet.node.decide.standing import in_cohort, is_forged, is_forgotten
from fednet.node.decide.steps import STAGGER_SECONDS
from fednet.node.view import NodeView

REPEAT_SECONDS = 3
"""Between two times that the same message is sent: it may be lost, or come before its reader."""
_BATCHERS = 3
"""Aggregators that wait for one another in an attempt that may be batched by any of them."""


def has_given(view: NodeView, attempt: AttemptHistory) -> bool:
    """Tell whether this site's own submission, or a row that may well be its own, stands."""
    mine, pledge = attempt.submissions.get(view.site), view.facts.pledges.get(view.attempt_key)
    if not isinstance(mine, BatchedUpdate):
        return mine is not None
    if is_forged(view, view.attempt_key):
        return False
    return pledge is None or (pledge.commitment, pledge.weight) == (mine.commitment, mine.weight)


def ask_whose_row(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Fetch the sheet that tells whether this site signed a row that its journal knows nothing of.

    If it did it sits the attempt out, and if not it may still give its own.
    """
    key, mine = view.attempt_key, attempt.submissions.get(view.site)
    if not isinstance(mine, BatchedUpdate) or key in view.facts.pledges:
        return None
    sheet = Wanted(mine.sheet, mine.sheet_locator, sheet_size_bytes(mine.rows))
    is_known = view.site in view.facts.carriage.rows.get(key, {})
    if is_known or sheet in view.facts.fetching:
        return None
    return Fetch(key, (view.site,))


def hand_in(view: NodeView, attempt: AttemptHistory) -> Act:
    """Bring the update that stands in the journal to the chain: in a batch, or else by itself."""
    key, carriage = view.attempt_key, view.facts.carriage
    if not (view.plan.is_batched and carriage.is_open):
        return Submit(key)
    if view.site in attempt.submissions:
        # A row in this site's name that is not what it signed; if it did sign, it forgot.
        if is_forgotten(view, key) and view.site in carriage.rows.get(key, {}):
            return Wait("sitting this attempt out: a batch has another update of this site's")
        return Submit(key)
    until = _due(view, _batchers(view))
    if view.now >= until or _has_come(attempt):
        return Submit(key)
    handed = carriage.handed.get(key)
    if handed is None or view.now >= handed + REPEAT_SECONDS:
        return HandIn(key)
    return Wait("another hands this site's update in", until)


def batch(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Hand in what others signed, when it is this site's turn and all is there or time is up."""
    key, carriage = view.attempt_key, view.facts.carriage
    if not (view.plan.is_batched and carriage.is_open) or key in carriage.refused:
        return None
    if not view.roles & Role.AGGREGATOR or not in_cohort(view, attempt) or _has_come(attempt):
        return None
    rank = _rank(view, attempt)
    seated = set(view.history.seats.values())
    here = [site for site in carriage.updates if site not in attempt.submissions and site in seated]
    if rank >= _batchers(view) or not here:
        return None
    awaited = view.state.expected - len(attempt.submissions)
    if view.now < _due(view, rank) and (rank or len(here) < awaited):
        return None
    return Batch(key, tuple(here[:awaited]))


def _has_come(attempt: AttemptHistory) -> bool:
    """Tell whether a batch has come: whoever is not in it is not waited for by its author."""
    return any(isinstance(each, BatchedUpdate) for each in attempt.submissions.values())


def _rank(view: NodeView, attempt: AttemptHistory) -> int:
    """Count the positions from the one whose turn it is to this site's."""
    length = attempt.started.roster_length
    turn = (view.state.round + view.state.attempt) % length
    return (view.history.consents[view.site].position - turn) % length


def _batchers(view: NodeView) -> int:
    """Count who may hand a batch in; after a failed attempt the contract takes it of one only."""
    return _BATCHERS if view.state.attempt == 1 else 1


def _due(view: NodeView, rank: int) -> int:
    """Tell when a rank stops waiting for the ones before it, in seconds since 1970."""
    return view.state.since + view.plan.batch_seconds + rank * STAGGER_SECONDS
