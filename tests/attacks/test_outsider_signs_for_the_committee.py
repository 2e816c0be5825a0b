"""Somebody outside the committee signs what its members attest, or shows what one signed elsewhere.

Lie: "a member of the committee attests this". The contract recovers the signer of
each attestation and asks the register; who shows other logs than the contract's is
found by the audit, which does the same from what the logs say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from fednet.audit import audit_run, settlement_of
from fednet.blobs import KuboStore
from fednet.credits import settlement_hash
from fednet.domain.batch_signing import Attestation
from fednet.domain.batches import CarriedAttestation, draw_committee, pack_vote
from fednet.domain.identity import Digest, RoundNumber, RunId
from fednet.domain.ledger import Phase
from fednet.ledger.writer import Web3Writer
from tests.attacks import batching, lies
from tests.attacks.batched import Batched
from tests.attacks.batching import BATCHED, COMMITTEE
from tests.attacks.lie import Found, Liar, Lie, contract, require_honest
from tests.attacks.network import Member, Network, Run
from tests.attacks.rewriting import RawLog, lying_about_logs, topic

LIE = Lie(
    "An outsider's signature stands among the committee's",
    Liar.STRANGER,
    (
        contract("AccountNotOfSite"),
        contract("SiteNotInCommittee"),
        contract("AttestationSignatureInvalid"),
        Found("attestation-unsigned", 19),
    ),
)


@dataclass
class Chamber:
    """A run whose proposal awaits its committee's votes; no node is there to give them."""

    run: Run
    committee: list[Member]
    outside: Member
    said: Attestation
    """What the first member of the committee would sign."""

    def carry(self, *votes: bytes) -> None:
        """Send votes; anybody with an account may."""
        carrier = self.outside.writer
        carrier.attest_batch(self.run.run, RoundNumber(1), 1, 1, votes)

    def vote(self, signer: Web3Writer, **changes: object) -> bytes:
        """Sign something else than what is said here, and show it as a vote on this."""
        signed = replace(self.said, **changes)  # type: ignore[arg-type]
        module = batching.module_of(self.run).address
        return pack_vote(self.said.site, self.said.witness, signer.sign_carried(signed, module))


@contextmanager
def opened(network: Network) -> Iterator[tuple[Chamber, list[bytes]]]:
    """Bring a run to its committee; also give the votes that the committee would honestly give."""
    members = network.members(COMMITTEE + 1)
    with network.open(members, **BATCHED) as run:
        for member in members:
            lies.submit_and_reveal(member, run, lies.update(member, run.place()))
        right = lies.recomputed(members[-1], run)
        lies.propose(members[-1], run, right.record, right.state_path)
        proposed = run.history.rounds[RoundNumber(1)].attempts[1].proposals[1].proposed
        [head] = network.reader.blocks([proposed.log.block])
        length = len(members)
        drawn = draw_committee(head.block_hash, proposed, COMMITTEE, length, range(length))
        settlement = settlement_hash(settlement_of(proposed))

        def says(member: Member) -> Attestation:
            return Attestation(
                run.run, RoundNumber(1), 1, 1, member.site, settlement, right.witness(member.site)
            )

        committee = [members[at] for at in drawn]
        outside = next(each for each in members if each not in committee)
        chamber = Chamber(run, committee, outside, says(committee[0]))
        honest = [replace(chamber, said=says(each)).vote(each.writer) for each in committee]
        yield chamber, honest


def test_votes_that_no_member_of_the_committee_gave_are_refused(network: Network) -> None:
    with opened(network) as (chamber, honest):
        signer, outside = chamber.committee[0], chamber.outside
        with LIE.refused("AccountNotOfSite"):
            chamber.carry(chamber.vote(network.new_writer("an outsider")))
        with LIE.refused("AccountNotOfSite"):
            chamber.carry(*honest[1:], chamber.vote(outside.writer))
        with LIE.refused("AttestationSignatureInvalid"):
            chamber.carry(honest[0][:-65] + bytes(65))
        with LIE.refused("SiteNotInCommittee"):
            own = replace(chamber, said=replace(chamber.said, site=outside.site))
            chamber.carry(own.vote(outside.writer))
        elsewhere: tuple[dict[str, object], ...] = (
            {"run": RunId(chamber.run.run + 1)},
            {"round": RoundNumber(2)},
            {"attempt": 2},
            {"proposal": 2},
            {"settlement": Digest(bytes(32))},
        )
        for change in elsewhere:
            with LIE.refused("AccountNotOfSite"):
                chamber.carry(chamber.vote(signer.writer, **change))
        assert chamber.run.state.attested == 0


def test_honest_committee_is_heard(network: Network) -> None:
    with opened(network) as (chamber, honest):
        chamber.carry(*honest)
        assert chamber.run.state.phase is Phase.FINAL
        assert chamber.run.state.attested == COMMITTEE


def test_signature_that_a_provider_puts_in_is_found(network: Network, batched: Batched) -> None:
    final = batched.history.rounds[RoundNumber(1)].final_proposal
    assert final is not None
    carried = next(
        each for each in final.attestations.values() if isinstance(each, CarriedAttestation)
    )
    writer = network.new_writer("another outsider")
    module = network.reader.run(batched.run).module
    signed = Attestation(
        batched.run, RoundNumber(1), 1, 1, carried.site,
        settlement_hash(settlement_of(final.proposed)), carried.witness,
    )  # fmt: skip
    foreign = writer.sign_carried(signed, module).hex()

    def put_in(logs: list[RawLog]) -> list[RawLog]:
        for log in logs:
            if log["topics"][0] == topic("AttestationsBatched"):
                log["data"] = log["data"].replace(carried.signature.hex(), foreign)
        return logs

    with (
        lying_about_logs(network, put_in) as asked,
        closing(KuboStore(network.kubos[0].node.endpoint, network.folder / "asked")) as store,
    ):
        report = audit_run(asked, store, batched.run, work_dir=network.folder, fetch_seconds=1.0)
    [found] = LIE.found(report)
    assert found.actual == str(writer.address)


def test_honest_committee_of_nodes_signs_for_itself(batched: Batched) -> None:
    require_honest(batched.report)
    final = batched.history.rounds[RoundNumber(1)].final_proposal
    assert final is not None
    assert len(final.attestations) == COMMITTEE
    assert all(isinstance(each, CarriedAttestation) for each in final.attestations.values())
