"""The course of every replay: an update with a manifest of elsewhere, among honest ones."""

from __future__ import annotations

from fednet.audit import RoundVerdict
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lies import Update
from tests.attacks.network import Member, Network, Run


def hand_in(liar: Member, run: Run, update: Update, round_number: int = 1) -> None:
    """Submit and serve the replayed bytes in a round."""
    lies.submit_and_reveal(liar, run, update, round_number)


def require_refused(network: Network, run: Run, liar: Member, reason: str) -> None:
    """Check that the last round ended right, without the liar's update."""
    assert run.over() is Phase.COMPLETED
    report = network.audit(run)
    assert report.verified
    assert {entry.verdict for entry in report.rounds} == {RoundVerdict.VERIFIED}
    said = {entry.site: entry for entry in report.rounds[-1].sites}
    assert said[liar.site].verdict == "invalid"
    assert said[liar.site].reason == reason
    assert said[liar.site].earned == 0
    others = [entry for site, entry in said.items() if site != liar.site]
    assert {entry.verdict for entry in others} == {"included"}
    assert sum(entry.earned for entry in others) == run.plan.credits.per_round
