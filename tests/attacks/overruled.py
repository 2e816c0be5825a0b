"""The course of every lie by an aggregator: objections end its proposal, the next one is right."""

from __future__ import annotations

from fednet.audit import AuditReport, RoundVerdict
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Lie, require_honest
from tests.attacks.network import Member, Network, Run


def begin(run: Run) -> Member:
    """Bring a run to the point where its last member, the liar, proposes; return it."""
    *honest, liar = run.members
    run.start(*honest)
    lies.submit_and_reveal(liar, run, lies.update(liar, run.place()))
    run.reach(Phase.PROPOSING)
    return liar


def require_convicted(lie: Lie, network: Network, run: Run) -> AuditReport:
    """Check that the round became final by another's proposal, and that the audit convicts."""
    report = require_overruled(network, run)
    lie.found(report, run.members[-1].site)
    return report


def require_control(network: Network) -> None:
    """Play the same story without the lie: the right record, proposed by hand, is final."""
    with network.open(network.members()) as run:
        aggregator = begin(run)
        right = lies.recomputed(aggregator, run)
        lies.propose(aggregator, run, right.record, right.state_path)
        assert run.over() is Phase.COMPLETED
        final = run.history.rounds[RoundNumber(1)].final_proposal
        assert final is not None
        assert final.proposed.site == aggregator.site
        require_honest(network.audit(run))


def require_overruled(network: Network, run: Run) -> AuditReport:
    """Check that the round became final by another's proposal, as it must be; audit it."""
    assert run.over() is Phase.COMPLETED
    entry = run.history.rounds[RoundNumber(1)]
    liar = run.members[-1].site
    attempt = entry.final_attempt
    assert attempt is not None
    assert entry.finalized is not None
    assert (entry.finalized.attempt, entry.finalized.proposal) == (1, 2)
    assert attempt.proposals[1].proposed.site == liar
    assert len(attempt.proposals[1].objections) >= 2
    assert not attempt.proposals[1].attestations
    assert attempt.proposals[2].proposed.site != liar
    assert not attempt.proposals[2].objections
    report = network.audit(run)
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED
    assert {site.verdict for site in report.rounds[0].sites} == {"included"}
    return report
