"""A site claims what another earned: in its own name, or in the other's.

Liar: a site. Lie: "these credits are mine". Found by the Credits contract: a
leaf binds the site, and only that site's node may claim it. Credits that the
plan does not make transferable cannot be moved on either.
"""

from __future__ import annotations

import pytest

from fednet.credits import CreditLedger
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from fednet.errors import RevertedError
from tests.attacks import lies
from tests.attacks.network import Network


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

    with pytest.raises(RevertedError) as in_its_name:
        thief.writer.claim(run.run, owner.site, first, settlement, amount, proof)
    assert in_its_name.value.error == "AccountNotOfSite"
    with pytest.raises(RevertedError) as as_own:
        thief.writer.claim(run.run, thief.site, first, settlement, amount, proof)
    assert as_own.value.error == "CreditsProofInvalid"
    assert network.reader.credit_account(run.run, thief.site).claimed == 0

    owner.writer.claim(run.run, owner.site, first, settlement, amount, proof)
    with pytest.raises(RevertedError) as moved:
        owner.writer.transfer_credits(run.run, owner.site, thief.site, 1)
    assert moved.value.error == "CreditsNotTransferable"
    assert network.reader.credit_account(run.run, owner.site).balance == amount
    assert network.audit(run).verified
