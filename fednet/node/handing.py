"""Carry out the acts that go through other hands: sign and post, batch, carry.

Nothing here needs the journal: an update is signed as the journal has it, an
attestation as it was noted, and the same signature comes out every time.
"""

from __future__ import annotations

from fednet.audit import settlement_of
from fednet.credits import settlement_hash
from fednet.domain.batch_signing import Attestation, Update
from fednet.domain.batches import SheetEntry, pack_sheet, pack_vote
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.errors import RevertedError
from fednet.node.files import write_whole
from fednet.node.mailbox import Mailbox
from fednet.node.places import AttemptKey, ProposalKey, find_proposal
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.view import Pledge
from fednet.node.workshop import Workshop


class Handing:
    """Act with and for other sites, in one run."""

    def __init__(
        self, tools: SiteTools, terms: RunTerms, workshop: Workshop, mailbox: Mailbox
    ) -> None:
        self._tools = tools
        self._terms = terms
        self._workshop = workshop
        self._mailbox = mailbox
        self.handed: dict[AttemptKey, int] = {}
        self.voiced: dict[ProposalKey, tuple[int, int]] = {}
        self.refused: set[tuple[int, ...]] = set()

    def hand_in(self, key: AttemptKey, pledge: Pledge, now: int) -> None:
        """Sign an update and send it to whoever makes the batch."""
        value = Update(
            self._terms.run, key.round, key.attempt, self._tools.site, pledge.commitment,
            pledge.weight, pledge.locator,
        )  # fmt: skip
        self._post(value)
        self.handed[key] = now

    def voice(self, key: ProposalKey, witness: Digest, history: RunHistory, now: int) -> None:
        """Sign an attestation and send it to whoever carries."""
        proposal = find_proposal(history, key)
        if proposal is None:
            return
        settlement = settlement_hash(settlement_of(proposal.proposed))
        self._post(
            Attestation(
                self._terms.run, key.round, key.attempt, key.number, self._tools.site,
                settlement, witness,
            )
        )  # fmt: skip
        first, _ = self.voiced.get(key, (now, now))
        self.voiced[key] = (first, now)

    def batch(self, key: AttemptKey, sites: tuple[SiteId, ...], history: RunHistory) -> None:
        """Publish the sheet, so that it outlives this node, and hand in what sites signed."""
        held = self._mailbox.updates
        positions = {history.consents[site].position: held[site] for site in sites if site in held}
        ordered = [positions[position] for position in sorted(positions)]
        sheet = pack_sheet([SheetEntry(update.locator, signed) for update, signed in ordered])
        path = self._workshop.folder / f"sheet-{key.round}-{key.attempt}"
        write_whole(path, sheet)
        locator = self._tools.blobs.publish(path)
        try:
            self._tools.writer.submit_batch(
                self._terms.run, self._tools.site, key.round, key.attempt,
                (Commitment.of(sheet), locator),
                {at: (update.commitment, update.weight) for at, (update, _) in positions.items()},
            )  # fmt: skip
        except RevertedError:
            self.refused.add(key)
            raise

    def carry(self, key: ProposalKey, sites: tuple[SiteId, ...], and_advance: bool) -> None:
        """Send what members of the committee signed."""
        held = self._mailbox.votes
        votes = [
            pack_vote(site, held[site][0].witness, held[site][1]) for site in sites if site in held
        ]
        try:
            self._tools.writer.attest_batch(
                self._terms.run, key.round, key.attempt, key.number, votes, and_advance
            )
        except RevertedError:
            self.refused.add(key)
            raise

    def _post(self, value: Update | Attestation) -> None:
        signature = self._tools.writer.sign_carried(value, self._terms.module)
        self._mailbox.post(value, signature)
