"""What a node waits for where updates are encrypted: their sum, on which aggregators agree."""

from __future__ import annotations

from fednet.node.acts import Act, Wait
from fednet.node.decide.masking import unmask
from fednet.node.places import AttemptKey
from fednet.node.view import NodeView


def await_sum(view: NodeView, key: AttemptKey) -> Wait | None:
    """Wait for the sum of an attempt's updates; None if it is here, or nothing is encrypted."""
    if not view.plan.is_encrypted or key in view.facts.sums:
        return None
    return Wait("aggregators add the encrypted updates", view.state.deadline + 1)


def unhide(view: NodeView, key: AttemptKey) -> Act | None:
    """Return the next step towards what a hidden sum is recomputed with; None if it is here."""
    return await_sum(view, key) or unmask(view, key)
