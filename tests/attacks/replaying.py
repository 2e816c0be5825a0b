"""The course of every replay: an update with a manifest of elsewhere, among honest ones."""

from __future__ import annotations

from fednet.audit import RoundVerdict
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Lie, require_honest
from tests.attacks.lies import Update
from tests.attacks.network import Member, Network, Run


def hand_in(liar: Member, run: Run, update: Update, round_number: int = 1) -> None:
    """Submit and serve the replayed bytes in a round."""
    lies.submit_and_reveal(liar, run, update, round_number)


def require_honest_round(network: Network) -> None:
    """Play a round in which nobody lies, and check that the audit finds nothing."""
    with network.open(network.members()) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        require_honest(network.audit(run))


def require_refused(
    lie: Lie, network: Network, run: Run, liar: Member, reason: str = "wrong-place"
) -> None:
    """Check that the last round ended right, without the liar's update."""
    assert run.over() is Phase.COMPLETED
    report = network.audit(run)
    lie.left_out(report, liar.site)
    if reason == "wrong-place":
        lie.found(report, liar.site)
    assert report.verified
    assert {entry.verdict for entry in report.rounds} == {RoundVerdict.VERIFIED}
    said = {entry.site: entry for entry in report.rounds[-1].sites}
    assert said[liar.site].verdict == "invalid"
    assert said[liar.site].reason == reason
    assert said[liar.site].earned == 0
    others = [entry for site, entry in said.items() if site != liar.site]
    assert {entry.verdict for entry in others} == {"included"}
    assert sum(entry.earned for entry in others) == run.plan.credits.per_round
