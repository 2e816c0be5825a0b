"""A site re-wraps what an honest site will submit, and submits it first.

It must have been given the arrays: sealed commitments show nothing. That it came
first on the ledger makes the honest author no copier.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.doubles import difference
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "Framing: a copy is submitted before the honest author's update",
    Liar.SITE,
    (Found("update-copied", 23),),
    duty="to explain it",
)


def test_later_author_is_not_convicted(network: Network) -> None:
    members = network.members()
    framer, author = members[0], members[1]
    with network.open(members) as run:
        stolen = difference(author.site, 1)
        lies.submit_and_reveal(framer, run, lies.update(framer, run.place(), arrays=stolen))
        run.start(*members[1:])
        assert run.over() is Phase.COMPLETED
        order = list(run.submissions())
        assert order.index(framer.site) < order.index(author.site)
        report = network.audit(run)
    [found] = LIE.found(report)
    assert str(framer.site) in found.duty
    earned = {each.site: each.earned for each in report.rounds[0].sites}
    assert earned[author.site] > 0


def test_honest_authors_are_not_alike(network: Network) -> None:
    require_honest_round(network)
