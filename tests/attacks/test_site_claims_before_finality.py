"""A site claims what a proposal promises before the round is final."""

from __future__ import annotations

from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ledger import Phase
from fednet.domain.record import witness
from tests.attacks import lies
from tests.attacks.finished import claim
from tests.attacks.lie import Liar, Lie, contract, require_honest
from tests.attacks.network import Network

LIE = Lie("Credits are claimed before finality", Liar.SITE, (contract("SettlementUnknown"),))


def test_honest_claim_is_paid_from_finality_on_and_never_before(network: Network) -> None:
    members = network.members()
    greedy, aggregator = members[0], members[-1]
    with network.open(members) as run:
        for member in members:
            lies.submit_and_reveal(member, run, lies.update(member, run.place()))
        run.reach(Phase.PROPOSING)
        right = lies.recomputed(aggregator, run)
        lies.propose(aggregator, run, right.record, right.state_path)
        for count, member in enumerate(members[:3]):
            assert run.state.attested == count
            with LIE.refused("SettlementUnknown"):
                claim(network, run, greedy, right.record)
            vouched = witness(
                run.place(), 1, Commitment.of(right.record_bytes), member.site, right.digest
            )
            member.writer.attest(run.run, member.site, RoundNumber(1), 1, 1, vouched)
        claim(network, run, greedy, right.record)
        members[3].writer.advance(run.run)
        assert run.over() is Phase.COMPLETED
        require_honest(network.audit(run))
