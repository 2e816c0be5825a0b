"""The ledger client and the batched rounds module, on each local chain.

Who acts is real: every signature is a site's own, every refusal the contract's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.batches import (
    BatchedUpdate,
    CarriedAttestation,
    SheetEntry,
    committee_of,
    draw_committee,
    pack_sheet,
    pack_vote,
    read_sheet,
    unfold,
)
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Commitment, Digest, Locator, RoundNumber, RunId
from fednet.domain.ledger import Phase
from fednet.domain.running_hash import running_hash_of
from fednet.errors import RevertedError
from fednet.ledger.batches import sign, signer_of
from fednet.ledger.chains import LocalChain
from fednet.ledger.writer import Web3Writer
from fednet.provenance import LedgerIndex
from tests import ledger_acts as acts
from tests.chain_fixtures import ETHER, ChainWorld, deploy_world
from tests.ledger_acts import Hospital

ROUND = RoundNumber(1)


@dataclass
class Batching:
    """A run of the batched module with three hospitals, whose keys the test holds."""

    world: ChainWorld
    run: RunId
    module: Module
    hospitals: list[Hospital]
    keys: list[LocalAccount]

    def update(self, index: int) -> Update:
        """Say what a hospital signs."""
        site = self.hospitals[index].site
        made = acts.commitment("update", self.run, 1, site)
        return Update(self.run, ROUND, 1, site, made, 100 + index, acts.locator(made))

    def hand_in(self, *indices: int, sender: int = 0) -> bytes:
        """Send a batch; give its sheet."""
        updates = {index: self.update(index) for index in indices}
        sheet = pack_sheet(
            [
                SheetEntry(each.locator, sign(self.module.digest(each), self.keys[index]))
                for index, each in sorted(updates.items())
            ]
        )
        hospital = self.hospitals[sender]
        assert isinstance(hospital.writer, Web3Writer)
        hospital.writer.submit_batch(
            self.run, hospital.site, ROUND, 1, (Commitment.of(sheet), acts.locator("sheet")),
            {index: (each.commitment, each.weight) for index, each in updates.items()},
        )  # fmt: skip
        return sheet

    def propose(self) -> Digest:
        """Propose what everybody's round gives; give the hash of what it settles."""
        acts.propose(self.world, self.run, self.hospitals)
        earned = acts.earned_after(self.world, self.run, self.hospitals)
        return settlement_hash(acts.settlement_of(self.world, self.run, 1, earned))

    def vote(self, index: int, settlement: Digest) -> bytes:
        """Sign an attestation as it is carried."""
        site = self.hospitals[index].site
        witness = Digest(acts.commitment("witness", site))
        held = Attestation(self.run, ROUND, 1, 1, site, settlement, witness)
        return pack_vote(site, witness, sign(self.module.digest(held), self.keys[index]))


@pytest.fixture
def batching(chain: LocalChain) -> Iterator[Batching]:
    made = begun(chain, committee_sites=2)
    yield made
    made.world.reader.close()


def begun(chain: LocalChain, committee_sites: int) -> Batching:
    world = deploy_world(chain)
    held = world.deployment
    module = held.modules.batched
    researcher = acts.researcher_of(world)
    hospitals, keys = [], []
    for name in ("a", "b", "c"):
        key: LocalAccount = Account.create()
        chain.fund(Address(key.address), 10 * ETHER)
        world._writers[name] = Web3Writer(world.reader, key)
        hospitals.append(acts.join(world, name))
        keys.append(key)
    assert isinstance(researcher, Web3Writer)
    plan, model = ((acts.commitment(name), acts.locator(name)) for name in ("plan", "model"))
    receipt = researcher.open_run(
        module, plan, model, True, acts.PARAMETERS, drawn_sites=committee_sites
    )
    run = RunId(receipt.created)
    assert world.reader.drawn_sites(run) == committee_sites
    for hospital in hospitals:
        acts.consent(world, researcher, run, hospital)
    return Batching(world, run, Module(held.chain_id, module), hospitals, keys)


def test_a_batch_folds_into_submissions_and_its_sheet_shows_who_signed(batching: Batching) -> None:
    sheet = batching.hand_in(0, 2)
    acts.submit(batching.world, batching.run, batching.hospitals[1])
    reader = batching.world.reader
    events = reader.run_events(batching.run)
    assert running_hash_of(event.log for event in events) == reader.running_hash(batching.run)
    attempt = RunHistory.of(batching.run, events).rounds[ROUND].attempts[1]
    assert list(attempt.submissions) == [batching.hospitals[at].site for at in (0, 2, 1)]
    entries = read_sheet(sheet, 2, "sheet")
    for index in (0, 2):
        held = attempt.submissions[batching.hospitals[index].site]
        assert isinstance(held, BatchedUpdate)
        assert (held.commitment, held.weight) == (
            batching.update(index).commitment, 100 + index
        )  # fmt: skip
        assert held.sheet == Commitment.of(sheet)
        entry = entries[held.row]
        said = Update(
            held.run, held.round, held.attempt, held.site, held.commitment, held.weight,
            entry.locator,
        )  # fmt: skip
        account = reader.site(held.site).account
        assert signer_of(batching.module.digest(said), entry.signature) == account
        for lie in (
            replace(said, weight=said.weight + 1), replace(said, round=RoundNumber(2)),
            replace(said, attempt=2), replace(said, run=RunId(said.run + 1)),
            replace(said, commitment=acts.commitment("other")),
            replace(said, locator=acts.locator("other")),
        ):  # fmt: skip
            assert signer_of(batching.module.digest(lie), entry.signature) != account
        elsewhere = replace(batching.module, chain_id=batching.module.chain_id + 1)
        assert signer_of(elsewhere.digest(said), entry.signature) != account
    assert not isinstance(attempt.submissions[batching.hospitals[1].site], BatchedUpdate)
    assert reader.state(batching.run).phase is Phase.PROPOSING
    member = reader.member(batching.run, batching.hospitals[2].site)
    assert (member.submitted_round, member.submitted_attempt) == (1, 1)


def test_a_sites_own_submission_takes_the_place_of_its_row(batching: Batching) -> None:
    batching.hand_in(0, 1)
    acts.submit(batching.world, batching.run, batching.hospitals[0], weight=7)
    history = RunHistory.of(batching.run, batching.world.reader.run_events(batching.run))
    submissions = history.rounds[ROUND].attempts[1].submissions
    assert list(submissions) == [batching.hospitals[at].site for at in (1, 0)]
    assert submissions[batching.hospitals[0].site].weight == 7
    assert batching.world.reader.state(batching.run).submitted == len(submissions) == 2


def test_a_committee_is_drawn_as_the_domain_draws_it_and_its_votes_fold(
    batching: Batching,
) -> None:
    batching.hand_in(0, 1, 2)
    settlement = batching.propose()
    reader = batching.world.reader
    proposed = next(
        event for event in reader.run_events(batching.run) if isinstance(event, ev.RoundProposed)
    )
    seed = reader.blocks([proposed.log.block])[0].block_hash
    drawn = draw_committee(seed, proposed, 2, 3, range(3))
    votes = [batching.vote(at, settlement) for at in drawn]
    outside = next(at for at in range(3) if at not in drawn)
    carrier = batching.hospitals[0].writer
    assert isinstance(carrier, Web3Writer)
    with pytest.raises(RevertedError) as refused:
        carrier.attest_batch(batching.run, ROUND, 1, 1, [batching.vote(outside, settlement)])
    assert refused.value.error == "SiteNotInCommittee"
    carrier.attest_batch(batching.run, ROUND, 1, 1, votes, and_advance=True)

    events = reader.run_events(batching.run)
    history = RunHistory.of(batching.run, events)
    proposal = history.rounds[ROUND].final_proposal
    assert proposal is not None
    assert proposal.committee is not None
    assert committee_of(proposal.committee) == drawn
    assert proposal.committee.seed_block == proposed.log.block
    assert list(proposal.attestations) == [batching.hospitals[at].site for at in drawn]
    for site, held in proposal.attestations.items():
        assert isinstance(held, CarriedAttestation)
        said = Attestation(batching.run, ROUND, 1, 1, site, settlement, held.witness)
        assert signer_of(batching.module.digest(said), held.signature) == reader.site(site).account
    assert reader.settlement(batching.run, ROUND) == settlement
    assert running_hash_of(event.log for event in events) == reader.running_hash(batching.run)
    assert (reader.state(batching.run).round, reader.state(batching.run).final_rounds) == (2, 1)
    kinds = [type(event) for event in unfold(events)]
    assert kinds.count(BatchedUpdate) == 3
    assert kinds.count(CarriedAttestation) == 2


def test_the_index_holds_what_batches_stand_for(batching: Batching, tmp_path: Path) -> None:
    reader, run = batching.world.reader, batching.run
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", reader.deployment)) as index:
        batching.hand_in(0, 1)
        index.refresh(reader)
        acts.submit(batching.world, run, batching.hospitals[0], weight=7)
        batching.hand_in(1, 2)
        settlement = batching.propose()
        index.refresh(reader)
        proposed = next(
            event for event in reader.run_events(run) if isinstance(event, ev.RoundProposed)
        )
        seed = reader.blocks([proposed.log.block])[0].block_hash
        votes = [
            batching.vote(at, settlement) for at in draw_committee(seed, proposed, 2, 3, range(3))
        ]
        carrier = batching.hospitals[0].writer
        assert isinstance(carrier, Web3Writer)
        carrier.attest_batch(run, ROUND, 1, 1, votes)
        index.refresh(reader)
        attempt = RunHistory.of(run, reader.run_events(run)).rounds[ROUND].attempts[1]
        assert len(attempt.submissions) == 3
        assert {each.site: (each.commitment, each.weight) for each in index.updates(run=run)} == {
            site: (each.commitment, each.weight) for site, each in attempt.submissions.items()
        }
        assert {each.site: each.value for each in index.votes(run=run)} == {
            site: each.witness for site, each in attempt.proposals[1].attestations.items()
        }


def test_forged_votes_are_refused_with_a_reason(batching: Batching) -> None:
    batching.hand_in(0, 1, 2)
    batching.propose()
    carrier = batching.hospitals[0].writer
    assert isinstance(carrier, Web3Writer)
    other = batching.vote(0, Digest(acts.commitment("another settlement")))
    with pytest.raises(RevertedError) as refused:
        carrier.attest_batch(batching.run, ROUND, 1, 1, [other])
    assert refused.value.error == "AccountNotOfSite"
    with pytest.raises(RevertedError) as refused:
        carrier.attest_batch(batching.run, ROUND, 1, 1, [other[:36] + bytes(65)])
    assert refused.value.error == "AttestationSignatureInvalid"
    with pytest.raises(RevertedError) as refused:
        carrier.attest_batch(batching.run, ROUND, 1, 1, [])
    assert refused.value.error == "BatchWithoutEffect"


def test_a_signature_has_one_form_only() -> None:
    key: LocalAccount = Account.create()
    module = Module(31_337, Address(key.address))
    made = acts.commitment("update")
    update = Update(RunId(1), ROUND, 1, acts.SiteId(1), made, 1, Locator(made))
    digest = module.digest(update)
    signature = sign(digest, key)
    assert signer_of(digest, signature) == key.address
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = order - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
    for strange in (
        twin, signature[:64], signature + b"\0", signature[:64] + b"\0", bytes(65),
        bytes(64) + b"\x1b", b"\xff" * 64 + b"\x1b",
    ):  # fmt: skip
        assert signer_of(digest, strange) is None
