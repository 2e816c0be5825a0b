"""A site claims what another earned: in its own name, or in the other's.

Lie: "these credits are mine". Found by the Credits contract: a
leaf binds the site, and only that site's node may claim it. Credits that the
plan does not make transferable cannot be moved on either.
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
    "Credits are claimed for another",
    Liar.SITE,
    (
        contract("AccountNotOfSite"),
        contract("CreditsProofInvalid"),
        contract("CreditsNotTransferable"),
    ),
)


def test_credits_go_to_who_earned_them(network: Network) -> None:
    members = network.members()
    thief, owner = members[0], members[1]
    with network.open(members) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        record = lies.recomputed(members[3], run).record
    first, settlement, earned = RoundNumber(1), record.settlement, record.earned
    deployment = network.reader.deployment
    account = CreditLedger(deployment.chain_id, deployment.credits, run.run)
    proof = account.proof(earned, owner.site)
    amount = earned[owner.site]

    with LIE.refused("AccountNotOfSite"):
        thief.writer.claim(run.run, owner.site, first, settlement, amount, proof)
    with LIE.refused("CreditsProofInvalid"):
        thief.writer.claim(run.run, thief.site, first, settlement, amount, proof)
    assert network.reader.credit_account(run.run, thief.site).claimed == 0

    owner.writer.claim(run.run, owner.site, first, settlement, amount, proof)
    with LIE.refused("CreditsNotTransferable"):
        owner.writer.transfer_credits(run.run, owner.site, thief.site, 1)
    assert network.reader.credit_account(run.run, owner.site).balance == amount
    require_honest(network.audit(run))


def test_honest_claim_is_paid_to_its_site(network: Network, finished: Finished) -> None:
    claimant = finished.members[1]
    held = network.reader.credit_account(finished.run, claimant.site)
    assert held.balance == held.claimed == finished.record(2).earned[claimant.site]
