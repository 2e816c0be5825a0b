"""Whoever makes the batch hands in an update in the name of a site that signed none.

Lie: "this site signed this". The contract verifies no update's signature, so the
row is on the chain; every member and the audit look for the site's signature in
the batch's sheet. The batcher's account sent the batch: it is convicted, and the
site that was lied about is not.
"""

from __future__ import annotations

from fednet.domain.batches import BatchedUpdate
from fednet.domain.ledger import Phase
from tests.attacks import batching, lies
from tests.attacks.batched import FORGED, Batched
from tests.attacks.batching import BATCHED, BATCHER
from tests.attacks.lie import Found, LeftOut, Liar, Lie, Overcome, require_honest
from tests.attacks.network import Network

INSTEAD = Overcome("the site submits by itself in place of the row, while the stage is open")
LIE = Lie(
    "A batch holds a row that its site never signed",
    Liar.AGGREGATOR,
    (Found("row-forged", 8), LeftOut("unsigned"), INSTEAD),
    accused="the site that handed the batch in",
)


def test_forged_row_counts_for_nothing_and_convicts_the_batcher(spoilt: Batched) -> None:
    spoilt.require_forged(LIE, FORGED)
    found = spoilt.finding(LIE, FORGED)
    # Whose signature it is instead: the batcher's own.
    assert found.actual == spoilt.members[BATCHER].writer.address


def test_victim_submits_by_itself_in_place_of_the_row(network: Network) -> None:
    members = network.members()
    liar, victim, others = members[BATCHER], members[0], (members[1], members[3])
    with network.open(members, **BATCHED) as run:
        made_up = lies.update(liar, run.place(), site=victim.site)
        liar.store.publish(made_up.path)
        forged = batching.sign(liar, run, batching.update_of(liar, run.run, made_up, victim.site))
        batching.hand_in(liar, run, [forged, batching.own_row(liar, run)])
        run.start(victim)
        run.wait(lambda _: not isinstance(run.submissions()[victim.site], BatchedUpdate))
        run.start(*others)
        run.cut_messages()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert {each.verdict for each in report.rounds[0].sites} == {"included"}
    LIE.found(report, liar.site)
    LIE.saw(INSTEAD)


def test_honest_batch_has_rows_that_their_sites_signed(batched: Batched) -> None:
    require_honest(batched.report)
    assert {each.verdict for each in batched.report.rounds[0].sites} == {"included"}
