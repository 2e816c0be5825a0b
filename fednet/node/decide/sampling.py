"""Who trains, in a run whose module draws a sample of each attempt's cohort.

Everybody else recomputes, votes and proposes as in any other run.
"""

from __future__ import annotations

from fednet.domain.history import AttemptHistory
from fednet.domain.samples import awaited_source, drawn_positions
from fednet.node.acts import Act, Draw, Wait
from fednet.node.decide.standing import rank_of
from fednet.node.decide.steps import STAGGER_SECONDS
from fednet.node.view import NodeView


def draw(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Draw the sample: the nearest in rank at once, the others later; None if none is to draw.

    The block that draws is over once its event is here. Of a draw that was put
    off the chain tells no time: then everybody tries, and one is first.
    """
    sampled = view.plan.module.sampled_sites
    if awaited_source(attempt.started, attempt.draws, sampled) is None:
        return None
    mine = view.state.since + rank_of(view) * STAGGER_SECONDS
    return Draw(view.attempt_key) if view.now >= mine else Wait("another draws the sample", mine)


def may_submit(view: NodeView, attempt: AttemptHistory, position: int) -> bool:
    """Tell whether the site at a roster position may submit to the attempt."""
    sampled = view.plan.module.sampled_sites
    return position in drawn_positions(attempt.started, attempt.draws, sampled)
