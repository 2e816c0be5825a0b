"""Steps that belong to several phases: moving on after a deadline, publishing, fetching."""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit import RowVerdict
from fednet.domain.batches import BatchedUpdate
from fednet.domain.events import UpdateSubmitted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import Commitment, SiteId
from fednet.node.acts import Act, Advance, Fetch, Publish, Wait
from fednet.node.decide.standing import missing_of, rank_of
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
    mine, pledge = attempt.submissions.get(view.site), view.facts.pledges.get(key)
    if mine is None or pledge is None or pledge.commitment != mine.commitment:
        return None
    return None if key in view.facts.published else Publish(key)


def fetch(view: NodeView, key: AttemptKey, attempt: AttemptHistory) -> Act | None:
    """Begin to fetch what is not here and not under way; None if nothing is left to begin."""
    wanted, rows = missing_of(view, attempt), view.facts.carriage.rows.get(key, {})
    idle = tuple(
        site
        for site in sorted(wanted)
        if blob_of(attempt.submissions[site], rows) not in view.facts.fetching
    )
    return Fetch(key, idle) if idle else None


def blob_of(submission: UpdateSubmitted, rows: Mapping[SiteId, RowVerdict]) -> Commitment:
    """Name the blob that is needed next for a submission: the sheet first, if it is in a batch."""
    if isinstance(submission, BatchedUpdate) and submission.site not in rows:
        return submission.sheet
    return submission.commitment
