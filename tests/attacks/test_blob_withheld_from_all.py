"""A site commits to bytes that it never serves to anybody.

Lie: "my update is at this locator". Found by everybody's failing
to fetch it: once the reveal is over the update counts as unavailable, and the
round goes on without it. Where too few remain, the run aborts as the plan says.
"""

from __future__ import annotations

from fednet.audit import Severity
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import ORDINARY, Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is withheld from all",
    Liar.SITE,
    (Found("update-withheld", 10),),
    duty="which submitted it",
)


def test_round_goes_on_without_the_withheld_update(network: Network) -> None:
    members = network.members()
    liar, *honest = members
    with network.open(members) as run:
        run.start(*honest)
        lies.submit(liar, run, lies.update(liar, run.place()))
        run.reach(Phase.PROPOSING)
        run.wait_held(honest, honest)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    [found] = LIE.found(report)
    assert found.severity is Severity.NOTICE
    said = {entry.site: (entry.verdict, entry.earned > 0) for entry in report.rounds[0].sites}
    assert said == {each.site: ("included", True) for each in honest} | {
        liar.site: ("unavailable", False)
    }


def test_run_aborts_where_too_few_updates_remain(network: Network) -> None:
    members = network.members(3)
    liar, *honest = members
    with network.open(members, cohort_minimum_updates=3, timing_max_attempts=1) as run:
        run.start(*honest)
        lies.submit(liar, run, lies.update(liar, run.place()))
        run.reach(Phase.PROPOSING)
        run.wait_held(honest, honest)
        run.pass_deadline()
        assert run.over() is Phase.ABORTED
        report = network.audit(run)
    assert {each.code for each in report.findings} - ORDINARY == {"nothing-to-verify"}
    assert report.accused == ()


def test_honest_update_is_served(network: Network) -> None:
    require_honest_round(network)
