"""Worlds that other modules lead than the plain one: who trains is drawn, or acts are carried."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fednet.audit.recomputation import settlement_of
from fednet.codec import Reason
from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.batches import (
    SheetEntry,
    committee_of,
    draw_committee,
    pack_positions,
    pack_rows,
    pack_sheet,
    pack_vote,
)
from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, SiteId
from fednet.domain.samples import sampled_positions, seed_of
from fednet.ledger.batches import sign
from tests.unit.audit.books import CHAIN_ID, MODULE, RUN, account_of
from tests.unit.audit.world import World

NOWHERE = Locator(b"\x01" * 32)
SIGNED_FOR = Module(CHAIN_ID, MODULE)
_MEMBER_BITS = 16


class Sampling(World):
    """The module draws who trains in each attempt."""

    def contributors(self) -> Sequence[SiteId]:
        """Draw by the last block, and list who was drawn."""
        return sorted(self.sample(self.draw(self.block).seed))

    def draw(self, source: int, seed: int | None = None) -> ev.SampleDrawn:
        """Draw by a block, or by any seed."""
        if seed is None:
            seed = seed_of(self.blocks([source])[0].block_hash)
        number, attempt = self.place.round, self.place.attempt
        drawn: ev.SampleDrawn = self.emit(
            ev.SampleDrawn, round=number, attempt=attempt, source=source, seed=seed
        )
        return drawn

    def sample(self, seed: int) -> set[SiteId]:
        """List whom a seed draws."""
        place = (RoundNumber(self.place.round), self.place.attempt)
        positions = sampled_positions(
            RUN, place, seed, len(self.sites), self.plan.module.sampled_sites
        )
        return {SiteId(at + 1) for at in positions}


class Batching(World):
    """One site hands in what all have signed, and carries the votes of a committee."""

    forged: Collection[int] = ()
    """Sites whose rows the batcher signs itself."""
    serves_sheet = True

    def refused(self) -> dict[SiteId, Reason]:
        """Say whose rows of batches count for nothing."""
        return {SiteId(site): Reason.UNSIGNED for site in self.forged} if self.serves_sheet else {}

    def collect(self) -> None:
        """Hand in at once what every site that trains has signed."""
        for site in self.contributors():
            self.contribute(site)
        self.batch()
        self.close()

    def batch(self) -> None:
        """Make rows of one batch of what was submitted."""
        carried = self.submissions()
        self.logged = [event for event in self.logged if event not in carried]
        batcher = self.sites[0]
        sheet = [
            self.entry(event, batcher if event.site in self.forged else 0) for event in carried
        ]
        self.hand_in(carried, sheet)

    def hand_in(self, carried: Sequence[ev.UpdateSubmitted], sheet: Sequence[SheetEntry]) -> None:
        """Put rows on the ledger, and the sheet of their signatures into the store."""
        path = self.folder / f"sheet-{self.place.round}-{self.place.attempt}-{self.block}"
        path.write_bytes(pack_sheet(sheet))
        rows = {event.site - 1: (event.commitment, event.weight) for event in carried}
        self.emit(
            UpdatesBatched,
            round=self.place.round,
            site=self.sites[0],
            attempt=self.place.attempt,
            sheet=Commitment.of(path.read_bytes()),
            sheet_locator=self.store.publish(path) if self.serves_sheet else NOWHERE,
            positions=pack_positions(rows),
            rows=pack_rows(rows),
        )

    def entry(self, event: ev.UpdateSubmitted, signer: int = 0) -> SheetEntry:
        """Sign an update as its site, or as another."""
        said = Update(
            RUN,
            event.round,
            event.attempt,
            event.site,
            event.commitment,
            event.weight,
            event.locator,
        )
        account = account_of(signer or event.site)
        return SheetEntry(event.locator, sign(SIGNED_FOR.digest(said), account))

    def attest(self, *sites: int, witness: Digest | None = None) -> None:
        """Carry the votes of those of the sites who may vote."""
        assert self.proposed is not None
        assert self.proposal is not None
        said, committee = self.proposal, self.committee()
        settlement = settlement_hash(settlement_of(said))
        votes = b""
        for site in map(SiteId, sites):
            if site not in committee:
                continue
            shown = witness or self.proposed.witness(site)
            place = (said.round, said.attempt, said.proposal)
            vote = Attestation(RUN, *place, site, settlement, shown)
            votes += pack_vote(site, shown, sign(SIGNED_FOR.digest(vote), account_of(site)))
        self.emit(
            AttestationsBatched,
            round=said.round,
            attempt=said.attempt,
            proposal=said.proposal,
            rows=votes,
        )

    def committee(self) -> Sequence[SiteId]:
        """Draw who votes on the proposal at hand; everybody if the plan wants no committee."""
        size, said = self.plan.module.committee_sites, self.proposal
        if not size:
            return self.sites
        assert said is not None
        source = said.log.block
        seed, positions = self.blocks([source])[0].block_hash, range(len(self.sites))
        found = draw_committee(seed, said, size, len(positions), positions)
        drawn: CommitteeDrawn = self.emit(
            CommitteeDrawn,
            round=said.round,
            attempt=said.attempt,
            proposal=said.proposal,
            seed_block=source,
            size=size,
            members=sum(at << _MEMBER_BITS * place for place, at in enumerate(found)),
        )
        return [self.sites[at] for at in committee_of(drawn)]
