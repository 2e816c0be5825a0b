"""A site claims its credits again, or more of them than it earned.

Lie: "I have not been paid", "I earned more". Found by the Credits
contract: it pays the cumulative amount less what was claimed, and only against
a proof to the settled root. The audit adds claims up again.
"""

from __future__ import annotations

from fednet.credits import CreditLedger
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.finished import Finished
from tests.attacks.lie import Liar, Lie, contract, require_honest
from tests.attacks.network import Network

LIE = Lie(
    "Credits are claimed twice, or more of them than were earned",
    Liar.SITE,
    (contract("CreditsAlreadyClaimed"), contract("CreditsProofInvalid")),
)


def test_credits_are_paid_once(network: Network) -> None:
    members = network.members()
    greedy, honest = members[0], members[1]
    with network.open(members) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        record = lies.recomputed(run.members[3], run).record
    earned = record.earned
    deployment = network.reader.deployment
    account = CreditLedger(deployment.chain_id, deployment.credits, run.run)
    proof = account.proof(earned, greedy.site)
    first, settlement, claim = RoundNumber(1), record.settlement, greedy.writer.claim
    mine = earned[greedy.site]

    claim(run.run, greedy.site, first, settlement, mine, proof)
    with LIE.refused("CreditsAlreadyClaimed"):
        claim(run.run, greedy.site, first, settlement, mine, proof)
    with LIE.refused("CreditsProofInvalid"):
        claim(run.run, greedy.site, first, settlement, mine + 1, proof)

    theirs = account.proof(earned, honest.site)
    honest.writer.claim(run.run, honest.site, first, settlement, earned[honest.site], theirs)
    held = network.reader.credit_account
    assert held(run.run, greedy.site).claimed == mine
    assert held(run.run, honest.site).claimed == earned[honest.site]
    assert network.reader.credit_total(run.run)[0] == mine + earned[honest.site]
    require_honest(network.audit(run))


def test_honest_claim_is_paid_once(network: Network, finished: Finished) -> None:
    claimant = finished.members[1]
    held = network.reader.credit_account(finished.run, claimant.site)
    assert held.balance == held.claimed == finished.record(2).earned[claimant.site]
    assert network.reader.credit_total(finished.run)[0] == held.claimed
