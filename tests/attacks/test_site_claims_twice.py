"""A site claims its credits again, or more of them than it earned.

Liar: a site. Lie: "I have not been paid", "I earned more". Found by the Credits
contract: it pays the cumulative amount less what was claimed, and only against
a proof to the settled root. The audit adds claims up again (check 18).
"""

from __future__ import annotations

import pytest

from fednet.credits import CreditLedger
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from fednet.errors import RevertedError
from tests.attacks import lies
from tests.attacks.network import Network


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
    with pytest.raises(RevertedError) as again:
        claim(run.run, greedy.site, first, settlement, mine, proof)
    assert again.value.error == "CreditsAlreadyClaimed"
    with pytest.raises(RevertedError) as more:
        claim(run.run, greedy.site, first, settlement, mine + 1, proof)
    assert more.value.error == "CreditsProofInvalid"
    with pytest.raises(RevertedError) as early:
        claim(run.run, greedy.site, RoundNumber(2), settlement, mine, proof)
    assert early.value.error == "SettlementUnknown"

    theirs = account.proof(earned, honest.site)
    honest.writer.claim(run.run, honest.site, first, settlement, earned[honest.site], theirs)
    held = network.reader.credit_account
    assert held(run.run, greedy.site).claimed == mine
    assert held(run.run, honest.site).claimed == earned[honest.site]
    assert network.reader.credit_total(run.run)[0] == mine + earned[honest.site]
    assert network.audit(run).verified
