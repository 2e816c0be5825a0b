"""Whoever makes the batch commits to a sheet that is not that of its rows.

Lie: "these are the signatures": of another size, or in another order, or with one
bit of another. What signs nothing counts for nothing, and who sent the batch is
convicted by it. Where other bytes are served than were committed to, the store
refuses them, as any blob's.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fednet.domain.batches import SHEET_ENTRY_SIZE_BYTES
from fednet.domain.ledger import Phase
from tests.attacks import batching
from tests.attacks.batched import Batched
from tests.attacks.batching import BATCHED, BATCHER
from tests.attacks.lie import Found, LeftOut, Liar, Lie, require_honest
from tests.attacks.network import Network

LIE = Lie(
    "A batch's sheet is altered",
    Liar.AGGREGATOR,
    (Found("row-forged", 8), LeftOut("unsigned")),
    accused="the site that handed the batch in",
)
VICTIM = 0
SIZE = SHEET_ENTRY_SIZE_BYTES
ALTERED: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "short": (lambda sheet: sheet[:-1], False),
    "in another order": (lambda sheet: sheet[SIZE:] + sheet[:SIZE], False),
    "with another locator": (lambda sheet: bytes([sheet[0] ^ 1]) + sheet[1:], True),
}
"""What is made of the sheet, and whether it shows the batcher's own signature still."""


@pytest.mark.parametrize(("alter", "spares_liar"), ALTERED.values(), ids=ALTERED.keys())
def test_altered_sheet_signs_nothing(
    network: Network, alter: Callable[[bytes], bytes], spares_liar: bool
) -> None:
    members = network.members(5)
    liar, victim, others = members[BATCHER], members[VICTIM], (members[1], *members[3:])
    with network.open(members, **BATCHED) as run:
        ear = batching.Ear(run)
        run.start(victim)
        rows = [*ear.hear(victim).values(), batching.own_row(liar, run)]
        batching.hand_in(liar, run, rows, alter(batching.sheet_of(run, rows)))
        run.start(*others)
        run.reach(Phase.PROPOSING)
        run.cut_messages()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert len(LIE.found(report, liar.site)) == (1 if spares_liar else 2)
    LIE.left_out(report, victim.site)
    included = {each.site for each in report.rounds[0].sites if each.verdict == "included"}
    assert included == {each.site for each in (*others, *([liar] if spares_liar else []))}


def test_honest_sheet_signs_every_row(batched: Batched) -> None:
    require_honest(batched.report)
