"""Read everything that a ledger says of a run at one block, with what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.batch_events import CommitteeDrawn
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.domain.ledger import Head
from fednet.domain.proofs import LedgerClaims
from fednet.errors import HeadMovedError, LedgerError, RevertedError
from fednet.ledger import codec
from fednet.ledger.bundle import contents
from fednet.ledger.bundle.archive import ArchiveWriter
from fednet.ledger.bundle.recording import RecordingRpc, log_json
from fednet.ledger.deployment import encode_deployment
from fednet.ledger.proofs.collect import RpcSource, Unprovable
from fednet.ledger.proofs.history import (
    blocks_with_logs,
    claimed_slots,
    first_block,
    log_addresses,
)
from fednet.ledger.reader import Web3Reader


class Capture(Web3Reader):
    """Read everything that the ledger says of a run at one block, and keep the answers."""

    def __init__(self, reader: Web3Reader, run: RunId) -> None:
        self.run_id = run
        self.head_seen = reader.head()
        self._recording = RecordingRpc(reader.chain, self.head_seen)
        self._begin(reader.deployment, self._recording)
        self.seen = self.events(list(codec.event_classes().values()))
        self.of_run = self.run_events(run, self.deployment.block)
        self.history = RunHistory.of(run, self.of_run)
        self._ask_views()

    def opened(self) -> ev.RunOpened:
        """Find the event that opened the run."""
        for event in self.seen:
            if isinstance(event, ev.RunOpened) and event.run == self.run_id:
                return event
        raise LedgerError("no event opened the run", subject=f"run {self.run_id}")

    def write(self, archive: ArchiveWriter, entries: Sequence[contents.BlobEntry]) -> str:
        """Write what the ledger said and what proves it; return why it proves nothing, if so."""
        source = RpcSource(self._recording)
        first, last = first_block(self.deployment), self.head_seen.number
        unproven = ""
        try:
            headers = source.headers(first, last)
            numbers = blocks_with_logs(
                headers, log_addresses(self.deployment, self.run(self.run_id).module)
            )
            receipts = source.receipts(numbers)
        except Unprovable as exc:
            unproven, headers, receipts = str(exc), (), {}
        archive.add(contents.HEADERS, b"".join(header.raw for header in headers))
        archive.add(
            contents.RECEIPTS,
            b"".join(contents.encode_receipts(at, receipts[at]) for at in sorted(receipts)),
        )
        archive.add(contents.STORAGE, self._storage(source) if headers else b"")
        archive.add(contents.STATE, contents.encode_form(self._state(bool(headers))))
        archive.add(contents.DEPLOYMENT, encode_deployment(self.deployment).encode())
        form = contents.BundleForm(
            format=contents.BUNDLE_FORMAT,
            run=self.run_id,
            head_number=last,
            head_hash=str(self.head_seen.block_hash),
            head_time=self.head_seen.timestamp,
            unproven=unproven,
            blobs=list(entries),
        )
        archive.add(contents.BUNDLE, contents.encode_form(form))
        return unproven

    def require_unmoved(self, reader: Web3Reader) -> None:
        """Raise unless the chain still has the block that everything was read at.

        Raises:
            HeadMovedError: It has another.
        """
        (now,) = reader.blocks([self.head_seen.number])
        if now.block_hash != self.head_seen.block_hash:
            raise HeadMovedError(
                "the chain was reorganised while the run was exported",
                subject=f"block {now.number}", expected=self.head_seen.block_hash,
                actual=now.block_hash, hint="export again",
            )  # fmt: skip

    def _ask_views(self) -> None:
        """Ask every view that an audit or a reader of the run may ask again."""
        run, final = self.run_id, self.state(self.run_id).final_rounds
        self.parameters(run)
        self.drawn_sites(run)
        self.running_hash(run)
        self.disclosures()
        self.masking_log()
        self.masking_times(run)
        self.masking_state(run)
        self.credit_total(run)
        self.site_count()
        self.run_count()
        for number in range(1, final + 1):
            self.settlement(run, RoundNumber(number))
        for event in self.seen:
            match event:
                case ev.SiteApplied():
                    self.site(event.site)
                    self.account(event.account)
                    self.credit_account(run, event.site)
                case ev.AccountRolesChanged() | ev.SiteAccountRotated():
                    self.account(event.account)
                case ev.DatasetRegistered():
                    self.dataset(event.dataset)
                    self.budget(event.dataset)
                case de.ReleaseRequested() | de.BudgetSpent():
                    self.dataset_use(event.run, event.dataset)
                case de.ReaderAdmitted():
                    self.blob_reader(event.reader)
                case ev.AccessRequested():
                    self.access(event.grant)
                case ev.RunOpened():
                    self.run(event.run)
        for site in dict.fromkeys(getattr(event, "site", SiteId(0)) for event in self.of_run):
            if site:
                with suppress(RevertedError):
                    self.member(run, site)
        self.opened()

    def _storage(self, source: RpcSource) -> bytes:
        slots, found = claimed_slots(self.deployment, self._claims()), []
        try:
            for address in self.deployment.contracts().values():
                wanted = list(slots.get(address, ()))
                proof = source.storage(address, wanted, self.head_seen.number)
                found.append(contents.encode_storage(address, proof))
        except Unprovable:
            return b""
        return b"".join(found)

    def _claims(self) -> LedgerClaims:
        final = self.state(self.run_id).final_rounds
        numbers = [RoundNumber(number) for number in range(1, final + 1)]
        return LedgerClaims(
            run=self.run_id,
            module=self.run(self.run_id).module,
            head=self.head_seen,
            running_hash=self.running_hash(self.run_id),
            disclosures=self.disclosures().running_hash,
            masking=self.masking_log().running_hash,
            settlements={number: self.settlement(self.run_id, number) for number in numbers},
            kinds=(),
            events=(),
            blocks={},
        )

    def _state(self, proven: bool) -> contents.StateForm:
        events = [*self.seen, *self.of_run]
        seeds = {event.seed_block for event in self.of_run if isinstance(event, CommitteeDrawn)}
        numbers = {event.log.block for event in events} | seeds
        blocks = sorted(numbers | {self.head_seen.number})
        return contents.StateForm(
            chain_id=self.deployment.chain_id,
            genesis_hash=str(self.deployment.genesis_hash),
            code=self._recording.code,
            calls=[
                contents.CallForm(to=to, data=data, result=result)
                for (to, data), result in sorted(self._recording.calls.items())
            ],
            logs=[] if proven else [log_json(event.log) for event in sorted_by_place(events)],
            blocks=[] if proven else [head_json(each) for each in self.blocks(blocks)],
        )


def sorted_by_place(events: Sequence[ev.LedgerEvent]) -> list[ev.LedgerEvent]:
    """Sort events as the chain has them."""
    return sorted(events, key=lambda event: (event.log.block, event.log.index))


def head_json(head: Head) -> dict[str, str]:
    """Write a block's head as JSON-RPC does."""
    return {
        "number": hex(head.number),
        "hash": "0x" + head.block_hash.hex(),
        "timestamp": hex(head.timestamp),
        "miner": head.producer,
    }
