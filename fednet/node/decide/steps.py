"""Steps that belong to several phases: moving on after a deadline, publishing, fetching."""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit import RowVerdict, locator_of
from fednet.codec.update import update_blob_limit_bytes
from fednet.domain.batches import BatchedUpdate, sheet_size_bytes
from fednet.domain.blobs import Wanted
from fednet.domain.events import UpdateSubmitted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import SiteId
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
    rows, limit = view.facts.carriage.rows.get(key, {}), update_blob_limit_bytes(view.plan)
    looked: dict[object, bool] = {}
    idle = []
    for site in sorted(missing_of(view, attempt)):
        submission = attempt.submissions[site]
        name: object = site
        if isinstance(submission, BatchedUpdate) and site not in rows:
            # All rows that have no verdict wait for the same few sheets.
            name = submission.sheet, submission.sheet_locator, submission.rows
        if name not in looked:
            looked[name] = blob_of(submission, rows, limit) not in view.facts.fetching
        if looked[name]:
            idle.append(site)
    return Fetch(key, tuple(idle)) if idle else None


def blob_of(
    submission: UpdateSubmitted, rows: Mapping[SiteId, RowVerdict], size_limit_bytes: int
) -> Wanted:
    """Name the blob that is needed next for a submission: the sheet first, if it is in a batch.

    Args:
        submission: A submission that is not refused.
        rows: Verdicts on the rows whose sheets are here.
        size_limit_bytes: Bound of an update.
    """
    return blobs_of(submission, rows, size_limit_bytes)[-1]


def blobs_of(
    submission: UpdateSubmitted, rows: Mapping[SiteId, RowVerdict], size_limit_bytes: int
) -> list[Wanted]:
    """Name what is known of the blobs of a submission: a batch's sheet, and the update."""
    found = []
    if isinstance(submission, BatchedUpdate):
        size = sheet_size_bytes(submission.rows)
        found.append(Wanted(submission.sheet, submission.sheet_locator, size))
    if (locator := locator_of(submission, rows)) is not None:
        found.append(Wanted(submission.commitment, locator, size_limit_bytes))
    return found
