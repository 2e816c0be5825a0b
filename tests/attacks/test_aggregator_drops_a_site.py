"""An aggregator leaves an honest site out: calls its update invalid, or unavailable.

Lie: "this update fails the intake", "its bytes cannot be had". Found by every
member that holds the bytes: they object, the proposal ends, and the next
aggregator proposes the right record. The audit names who called a good update
invalid. That bytes could not be had may have been true for the aggregator, so
this accuses nobody.
"""

from __future__ import annotations

from fednet.audit import Severity
from tests.attacks import lies
from tests.attacks.lie import ORDINARY, Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.overruled import begin, require_control, require_convicted, require_overruled

LIE = Lie(
    "The aggregate leaves an honest site out",
    Liar.AGGREGATOR,
    (Found("excluded-without-ground", 10), Found("update-unavailable", 10)),
    accused="the aggregator that calls it invalid; nobody where it says unavailable",
)


def test_site_called_invalid_is_in_the_final_record(network: Network) -> None:
    members = network.members()
    victim = members[0].site
    with network.open(members) as run:
        liar = begin(run)
        without = lies.recomputed(liar, run, frozenset({victim}))
        record = lies.with_entry(without.record, victim, verdict="invalid", reason="malformed")
        lies.propose(liar, run, record, without.state_path)
        require_convicted(LIE, network, run)


def test_site_called_unavailable_is_in_the_final_record(network: Network) -> None:
    members = network.members()
    victim = members[0].site
    with network.open(members) as run:
        liar = begin(run)
        run.wait_held(members[:3], members)
        network.travel(run.state.deadline - run.plan.timing.propose_seconds)
        without = lies.recomputed(liar, run, frozenset({victim}))
        lies.propose(liar, run, without.record, without.state_path)
        report = require_overruled(network, run)
    assert report.verified
    LIE.found(report)
    notices = {each.code for each in report.findings} - ORDINARY
    assert notices == {"update-unavailable", "objection-over-availability"}
    assert {each.severity for each in report.findings} == {Severity.NOTICE}


def test_honest_aggregate_leaves_nobody_out(network: Network) -> None:
    require_control(network)
