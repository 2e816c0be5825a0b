"""A site takes what another made public and hands it in as late work of its own.

Lie: "I trained this for the round before, and am late". The plan takes late
updates, the manifest and the base are right, so that no intake can tell. The
audit finds the other's update among those that were public before.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.doubles import difference
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network

LIE = Lie(
    "Another's published update is handed in a round later, as late work from the older state",
    Liar.SITE,
    (Found("update-copied", 23),),
    accused="the site that took it",
)
LATE: dict[str, object] = {"rounds": 2, "cohort_target_updates": 4, "staleness_rounds": 1}


def test_taken_update_convicts_who_calls_it_late(network: Network) -> None:
    members = network.members()
    thief, author = members[1], members[0]
    with network.open(members, **LATE) as run:
        run.start(*members[:1], *members[2:])
        lies.submit_and_reveal(thief, run, lies.update(thief, run.place(1)))
        run.reach(Phase.COLLECTING, 2)
        stolen = lies.update(thief, run.place(2), arrays=difference(author.site, 1))
        lies.submit_and_reveal(thief, run, stolen, 2)
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    [found] = LIE.found(report, thief.site)
    assert f"update of site {author.site} in round 1" in found.message
    [result] = [each for each in report.rounds[1].sites if each.site == thief.site]
    assert (result.verdict, result.staleness) == ("included", 1)
    assert report.rounds[1].verdict is RoundVerdict.VERIFIED


def test_honest_late_update_counts(network: Network) -> None:
    members = network.members()
    late = members[1]
    with network.open(members, **LATE) as run:
        run.start(*members[:1], *members[2:])
        lies.submit_and_reveal(late, run, lies.update(late, run.place(1)))
        run.reach(Phase.COLLECTING, 2)
        lies.submit_and_reveal(late, run, lies.update(late, run.place(2)), 2)
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    require_honest(report)
    assert {each.site: each.staleness for each in report.rounds[1].sites}[late.site] == 1
