"""Whoever makes the batch writes another weight beside an update than its site signed.

Lie: "this site trained on so many examples", to have less of an update count, or
more. The signature covers the weight, so that the row has none.
"""

from __future__ import annotations

from tests.attacks.batched import WEIGHED, Batched
from tests.attacks.lie import Found, LeftOut, Liar, Lie, require_honest

LIE = Lie(
    "A batch holds another weight than a site signed",
    Liar.AGGREGATOR,
    (Found("row-forged", 8), LeftOut("unsigned")),
    accused="the site that handed the batch in",
)


def test_row_with_another_weight_convicts_the_batcher(spoilt: Batched) -> None:
    spoilt.require_forged(LIE, WEIGHED)


def test_honest_weights_are_those_that_were_signed(batched: Batched) -> None:
    require_honest(batched.report)
    (entry,) = batched.history.rounds.values()
    (attempt,) = entry.attempts.values()
    weights = {site: each.weight for site, each in attempt.submissions.items()}
    assert weights == {each.site: each.trainer.examples for each in batched.members}
