"""Whoever makes the batch shows a signature that a site gave in another run, or another round.

Lie: "it signed this here and now". What is signed binds chain, contract, run,
round and attempt, and so does an attestation: the same signature is that of
nobody's account elsewhere.
"""

from __future__ import annotations

from tests.attacks.batched import OTHER_ROUND, OTHER_RUN, Batched
from tests.attacks.lie import Found, LeftOut, Liar, Lie, require_honest

LIE = Lie(
    "A batch shows a signature from another run or round",
    Liar.AGGREGATOR,
    (Found("row-forged", 8), LeftOut("unsigned")),
    accused="the site that handed the batch in",
)


def test_signature_from_elsewhere_signs_nothing_here(spoilt: Batched) -> None:
    spoilt.require_forged(LIE, OTHER_RUN, OTHER_ROUND)


def test_honest_signatures_are_of_this_run(batched: Batched) -> None:
    require_honest(batched.report)
