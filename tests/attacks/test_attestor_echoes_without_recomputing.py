"""A member attests without having recomputed: it copies a witness, or invents one.

Lie: "I recomputed this". Found by the audit: a witness hashes its attestor with
bytes that are never published together, so a copied one is bound to its owner
and an invented one to nothing.
"""

from __future__ import annotations

import pytest

from fednet.audit import RoundVerdict
from fednet.domain.history import RunHistory
from fednet.domain.identity import Digest, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase, Receipt
from fednet.ledger.writer import Web3Writer
from tests.attacks.doubles import unguessed, until
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An attestation is echoed, or made up",
    Liar.SITE,
    (Found("attestation-echoed", 15), Found("attestation-unfounded", 15)),
    accused="the attestor",
)


class Inventor(Web3Writer):
    """Attest with a witness that means nothing."""

    def attest(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        witness: Digest,
    ) -> Receipt:
        found = self.find_witness(run, site, round_number, attempt, proposal)
        return super().attest(run, site, round_number, attempt, proposal, found)

    def find_witness(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, proposal: int
    ) -> Digest:
        """Say what to attest with."""
        return unguessed(f"witness of {site} in {round_number}")


class Echo(Inventor):
    """Wait for another's attestation and repeat its witness."""

    def find_witness(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, proposal: int
    ) -> Digest:
        def overheard() -> Digest | None:
            history = RunHistory.of(run, self._reader.run_events(run))
            said = history.rounds[round_number].attempts[attempt].proposals[proposal]
            return next((entry.witness for entry in said.attestations.values()), None)

        return until(overheard, lambda: "nobody attested")


@pytest.mark.parametrize(
    ("kind", "code"), [(Echo, "attestation-echoed"), (Inventor, "attestation-unfounded")]
)
def test_audit_names_who_did_not_recompute(
    network: Network, kind: type[Inventor], code: str
) -> None:
    members = network.members()
    liar = members[0]
    liar.writer = kind(network.reader, liar.account)
    with network.open(members) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        first = run.history.rounds[RoundNumber(1)]
        assert first.final_proposal is first.attempts[1].proposals[1]

        def everybody_attested(history: RunHistory) -> bool:
            final = history.rounds[RoundNumber(1)].final_proposal
            return final is not None and len(final.attestations) == len(members)

        run.wait(everybody_attested)
        report = network.audit(run)
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED
    [found] = LIE.found(report, liar.site)
    assert found.code == code


def test_honest_attestations_stand(network: Network) -> None:
    require_honest_round(network)
