"""A site hands in another's arrays under a manifest of its own.

Within a round it can only have had them from their author: both are named, to
explain it, and neither is convicted. In a later round they were public: who
hands them in is convicted.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.doubles import difference
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is re-wrapped: another's arrays, an own manifest",
    Liar.SITE,
    (Found("update-copied", 23),),
    accused="the copier, if the arrays were public by then; else nobody",
)


def test_arrays_of_the_same_round_name_both(network: Network) -> None:
    members = network.members()
    copier, author = members[0], members[1]
    with network.open(members) as run:
        run.start(*members[1:])
        stolen = difference(author.site, 1)
        lies.submit_and_reveal(copier, run, lies.update(copier, run.place(), arrays=stolen))
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert not report.verified
    [found] = LIE.found(report)
    assert str(copier.site) in found.duty
    assert str(author.site) in found.duty


def test_arrays_of_an_earlier_round_convict(network: Network) -> None:
    members = network.members()
    copier, author = members[1], members[2]
    with network.open(members, rounds=2) as run:
        run.start(*members[:1], *members[2:])
        lies.submit_and_reveal(copier, run, lies.update(copier, run.place()))
        run.reach(Phase.COLLECTING, 2)
        base = run.history.rounds[run.state.round - 1].final_proposal
        assert base is not None
        stolen = difference(author.site, 1)
        update = lies.update(copier, run.place(2), base=base.proposed.state, arrays=stolen)
        lies.submit_and_reveal(copier, run, update, 2)
        assert run.over() is Phase.COMPLETED
        LIE.found(network.audit(run), copier.site)


def test_honest_arrays_are_all_different(network: Network) -> None:
    require_honest_round(network)
