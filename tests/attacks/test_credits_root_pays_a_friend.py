"""A majority of the cohort makes a record final that pays everything to one of them.

Lie: a credits root, by the aggregator and two members. The chain believes a
quorum and pays; that is what it is for. The audit recomputes the shares and
convicts who proposed, who attested and who claimed; the honest member objects
and never trains on what it cannot confirm, so that the run ends by its
deadlines.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict
from fednet.credits import CreditLedger
from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ledger import Phase
from fednet.domain.record import witness
from tests.attacks import lies
from tests.attacks.doubles import until
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "A credits root pays a friend, and a majority attests it",
    Liar.MAJORITY,
    (
        Found("credits-differ", 14),
        Found("attestation-false", 15),
        Found("claim-exceeds-earned", 18),
    ),
    accused="who proposed, who attested, who claimed",
)


def test_audit_convicts_a_majority_that_lies(network: Network) -> None:
    members = network.members()
    honest, friend, helper, aggregator = members
    first, liars = RoundNumber(1), members[1:]
    with network.open(members, rounds=2) as run:
        run.start(honest)
        for liar in liars:
            lies.submit_and_reveal(liar, run, lies.update(liar, run.place()))
        run.reach(Phase.PROPOSING)
        right = lies.recomputed(aggregator, run)
        earned = {friend.site: run.plan.credits.per_round}
        lie = lies.with_credits(run, right.record, earned)
        lies.propose(aggregator, run, lie, right.state_path)
        record = Commitment.of(lie.to_bytes())
        run.wait(
            lambda history: honest.site in history.rounds[first].attempts[1].proposals[1].objections
        )
        for liar in liars:
            vouched = witness(run.place(), 1, record, liar.site, right.digest)
            liar.writer.attest(run.run, liar.site, first, 1, 1, vouched)
        run.reach(Phase.COLLECTING, 2)
        until(
            lambda: honest.said("own recomputation of round 1 gave another record than the final"),
            lambda: f"{honest.reports[-3:]}",
        )
        deployment = network.reader.deployment
        account = CreditLedger(deployment.chain_id, deployment.credits, run.run)
        friend.writer.claim(
            run.run, friend.site, first, lie.settlement, earned[friend.site],
            account.proof(earned, friend.site),
        )  # fmt: skip
        for attempt in range(1, run.plan.timing.max_attempts + 1):
            run.reach(Phase.COLLECTING, 2, attempt)
            run.pass_deadline()
        assert run.over() is Phase.ABORTED
        report = network.audit(run)
    assert not report.verified
    assert report.rounds[0].verdict is RoundVerdict.WRONG
    LIE.found(report, *(liar.site for liar in liars))
    blamed = {(each.code, each.check, each.accused) for each in report.findings if each.accused}
    assert ("credits-differ", 14, aggregator.site) in blamed
    assert ("attestation-false", 15, helper.site) in blamed
    assert ("claim-exceeds-earned", 18, friend.site) in blamed


def test_honest_credits_are_shared_by_examples(network: Network) -> None:
    require_honest_round(network)
