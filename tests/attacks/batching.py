"""What whoever makes a batch does by hand: rows that sites signed, or never did, and a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fednet.domain.batch_signing import Module, Update
from fednet.domain.batches import SheetEntry, pack_sheet
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.ledger.batches import signer_of
from fednet.node.mailbox import Mailbox, Now
from fednet.node.places import ProposalKey
from tests.attacks import lies
from tests.attacks.doubles import until
from tests.attacks.network import Member, Run

COMMITTEE = 3
BATCHED = {
    "module_name": "batched",
    "module_committee_sites": COMMITTEE,
    "timing_max_attempts": 3,
}
BATCHER = 2
"""Position whose turn it is to make the batch of round 1, attempt 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a batch says of a site, and the signature that its sheet shows for it."""

    update: Update
    signature: bytes = field(repr=False)

    def saying(self, **changes: object) -> Row:
        """Say something else under the same signature."""
        return replace(self, update=replace(self.update, **changes))  # type: ignore[arg-type]


def module_of(run: Run) -> Module:
    """Name the contract that signatures are for."""
    reader = run.network.reader
    return Module(reader.deployment.chain_id, reader.run(run.run).module)


def update_of(
    member: Member, run: RunId, what: lies.Update, site: SiteId | None = None, number: int = 1
) -> Update:
    """Say what a site would sign of bytes: these are handed in for it."""
    at = member.store.locate(what.path)
    author = member.site if site is None else site
    return Update(run, RoundNumber(number), 1, author, what.commitment, what.weight, at)


def sign(signer: Member, run: Run, update: Update) -> Row:
    """Sign an update, one's own or another's."""
    return Row(update, signer.writer.sign_carried(update, module_of(run).address))


def own_row(member: Member, run: Run) -> Row:
    """Make an update, serve it and sign it, as an honest site does."""
    what = lies.update(member, run.place())
    member.store.publish(what.path)
    return sign(member, run, update_of(member, run.run, what))


class Ear:
    """Hear what the run's nodes sign, as the node of the batcher would; make it before them."""

    def __init__(self, run: Run) -> None:
        self._box = Mailbox(run.posts[0], run.run, module_of(run), signer_of)
        accounts = {member.site: member.writer.address for member in run.members}
        self._now = Now(ProposalKey(RoundNumber(1), 1, 0), None, accounts)
        self._box.look(self._now)

    def hear(self, *members: Member) -> dict[SiteId, Row]:
        """Wait until these sites have handed in their updates."""

        def heard() -> bool:
            self._box.look(self._now)
            return all(member.site in self._box.updates for member in members)

        until(heard, lambda: f"heard of {sorted(self._box.updates)} only")
        return {site: Row(*held) for site, held in self._box.updates.items()}


def sheet_of(run: Run, rows: Sequence[Row]) -> bytes:
    """Write the sheet of a batch."""
    ordered = sorted(rows, key=lambda row: position_of(run, row.update.site))
    return pack_sheet([SheetEntry(row.update.locator, row.signature) for row in ordered])


def hand_in(
    batcher: Member,
    run: Run,
    rows: Sequence[Row],
    sheet: bytes | None = None,
    *,
    serves: bool = True,
) -> Commitment:
    """Send a batch; by default its sheet is the one that it should have, and is served."""
    path = lies.scratch(batcher)
    path.write_bytes(sheet_of(run, rows) if sheet is None else sheet)
    commitment = Commitment.of(path.read_bytes())
    at: Locator = batcher.store.publish(path) if serves else batcher.store.locate(path)
    entries: Mapping[int, tuple[Commitment, int]] = {
        position_of(run, row.update.site): (row.update.commitment, row.update.weight)
        for row in rows
    }
    batcher.writer.submit_batch(run.run, batcher.site, RoundNumber(1), 1, (commitment, at), entries)
    return commitment


def position_of(run: Run, site: SiteId) -> int:
    """Give a site's position in the roster."""
    return [member.site for member in run.members].index(site)
