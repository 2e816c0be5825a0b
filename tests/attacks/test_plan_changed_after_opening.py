"""A researcher has sites agree to one plan and runs another.

Lie: other parameters told to the contract than the plan
says, or another plan's bytes served under the commitment. Found by every node
before it trains, and by the audit: nothing is submitted, and
the run ends by its own deadlines.
"""

from __future__ import annotations

from dataclasses import replace

from fednet.audit import AuditReport
from fednet.domain.ledger import Phase
from fednet.domain.plan import Plan
from tests.attacks.doubles import until
from tests.attacks.lie import ORDINARY, Found, Liar, Lie
from tests.attacks.network import Network, Run
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "The run does not follow the plan that was agreed",
    Liar.RESEARCHER,
    (Found("plan-differs", 4), Found("blob-altered", 9)),
)


def require_refused(network: Network, run: Run, reason: str) -> None:
    """Check that every node refuses, and that the run ends without an update."""
    run.start()
    until(
        lambda: all(member.said(reason) for member in run.members),
        lambda: f"{[member.reports[-1] for member in run.members]}",
    )
    for _ in range(run.plan.timing.max_attempts):
        run.pass_deadline()
        network.operator.advance(run.run)
    assert run.state.phase is Phase.ABORTED
    assert not any(
        attempt.submissions
        for entry in run.history.rounds.values()
        for attempt in entry.attempts.values()
    )


def codes_of(report: AuditReport) -> set[str]:
    """List what the audit found."""
    return {each.code for each in report.findings} - ORDINARY


def test_parameters_other_than_the_plans_are_refused(network: Network) -> None:
    members = network.members()
    with network.open(
        members, told=lambda planned: replace(planned, credits_per_round=2_000)
    ) as run:
        require_refused(network, run, "the chain enforces another parameters than the plan says")
        report = network.audit(run)
    assert not report.verified
    LIE.found(report)
    assert codes_of(report) == {"plan-differs", "nothing-to-verify"}


def test_plan_other_than_the_committed_is_refused(network: Network) -> None:
    members = network.members()
    with network.open(
        members, served=lambda plan: Plan.validated(plan.model_dump() | {"rounds": 7}, "plan")
    ) as run:
        require_refused(network, run, "do not match their commitment")
        report = network.audit(run)
    assert not report.verified
    LIE.found(report)
    assert codes_of(report) == {"blob-altered", "nothing-to-verify"}
    assert report.rounds == ()


def test_honest_plan_is_followed(network: Network) -> None:
    require_honest_round(network)
