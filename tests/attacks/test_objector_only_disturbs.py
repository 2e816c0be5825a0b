"""A member objects to every proposal, naming a record that nothing leads to.

Lie: "I recomputed it and got another record". It cannot stop a
round that a quorum attests; the audit recomputes what the objection names and
says that it was unfounded.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict
from fednet.domain.identity import Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase, Receipt
from fednet.ledger.writer import Web3Writer
from tests.attacks.doubles import unguessed
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An objection is unfounded",
    Liar.SITE,
    (Found("objection-unfounded", 16),),
    accused="the objector",
)


ROUNDS = 2


class Disturber(Web3Writer):
    """Object where its node would attest."""

    def attest(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        witness: Digest,
    ) -> Receipt:
        other = Commitment(unguessed(f"record of {round_number}"))
        return self.object_to(run, site, round_number, attempt, proposal, other)


def test_lone_objector_stops_nothing(network: Network) -> None:
    members = network.members()
    liar = members[1]
    liar.writer = Disturber(network.reader, liar.account)
    with network.open(members, rounds=ROUNDS) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        for number in range(1, ROUNDS + 1):
            run.wait(
                lambda history, number=number: (
                    liar.site
                    in history.rounds[RoundNumber(number)].attempts[1].proposals[1].objections
                )
            )
        report = network.audit(run)
    assert [entry.verdict for entry in report.rounds] == [RoundVerdict.VERIFIED] * ROUNDS
    assert len(LIE.found(report, liar.site)) == ROUNDS


def test_honest_members_do_not_object(network: Network) -> None:
    require_honest_round(network)
