"""Whoever makes the batch serves no sheet, so that nobody can look for the signatures.

Lie: "the sheet is at this locator". What its rows stand for cannot be judged and
counts as unavailable; whoever is not in the batch counts. Nobody is accused, and
it is the batcher's duty to serve the sheet, not that of the sites in it.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import batching
from tests.attacks.batched import Batched
from tests.attacks.batching import BATCHED, BATCHER
from tests.attacks.lie import ORDINARY, Found, Liar, Lie, require_honest
from tests.attacks.network import Network

LIE = Lie(
    "A batch's sheet is withheld",
    Liar.AGGREGATOR,
    (Found("update-withheld", 10),),
    duty="which handed it in",
)


def test_rows_of_a_withheld_sheet_are_unavailable(network: Network) -> None:
    members = network.members(5)
    liar, victim, others = members[BATCHER], members[0], (members[1], *members[3:])
    with network.open(members, **BATCHED) as run:
        ear = batching.Ear(run)
        run.start(victim)
        rows = [*ear.hear(victim).values(), batching.own_row(liar, run)]
        batching.hand_in(liar, run, rows, serves=False)
        run.start(*others)
        run.reach(Phase.PROPOSING)
        run.cut_messages()
        run.wait_held((victim, *others), others)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    LIE.found(report)
    assert {each.code for each in report.findings} - ORDINARY == {"update-withheld"}
    duties = {each.subject.split()[3]: each.duty for each in report.findings if each.duty}
    assert duties[str(victim.site)] == f"site {liar.site}, which handed it in"
    said = {each.site: each.verdict for each in report.rounds[0].sites}
    assert said == dict.fromkeys((victim.site, liar.site), "unavailable") | dict.fromkeys(
        (each.site for each in others), "included"
    )


def test_honest_batcher_serves_the_sheet(batched: Batched) -> None:
    require_honest(batched.report)
