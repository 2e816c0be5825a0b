"""Which blobs the ledger names, and how large each may be; read on from where the last look ended.

Plans, batches' sheets and rounds' records name further blobs: once one of these is
kept, `read` takes what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from fednet.codec import sum_size_limit_bytes, update_blob_limit_bytes
from fednet.domain import events as ev
from fednet.domain.batch_events import UpdatesBatched
from fednet.domain.batches import (
    ROW_SIZE_BYTES,
    read_sheet,
    sheet_size_bytes,
    unpack_positions,
)
from fednet.domain.disclosure_events import BlobsErased, ReaderAdmitted
from fednet.domain.identity import ZERO_DIGEST, Address, Commitment, Locator, RunId
from fednet.domain.ledger import Head
from fednet.domain.masking_events import SharesDealt, SharesDisclosed
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import FednetError
from fednet.privacy.masking.dealing import dealing_size_bytes
from fednet.privacy.masking.unmasking import disclosure_size_bytes
from fednet.privacy.sealing.grants import SIZE_CAP_BYTES as LETTER_SIZE_CAP_BYTES

Place: TypeAlias = tuple[Commitment, Locator]
_Read: TypeAlias = Callable[[bytes], None]

_MAX_TEXT_BYTES = 1 << 16
_KINDS = (
    ev.AccessRequested,
    ev.AccessGranted,
    ev.RunOpened,
    ReaderAdmitted,
    SharesDealt,
    SharesDisclosed,
    BlobsErased,
    ev.LocatorAnnounced,
)


class NamedBlobs:
    """Collect what the ledger names.

    Args:
        reader: Ledger to read.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self.caps: dict[Place, int] = {}
        """Largest size in bytes that is worth fetching, by blob."""
        self._start_over()

    def _start_over(self) -> None:
        self.erasures = 0
        """Records of erasures on the ledger, lawful or not."""
        self._head: Head | None = None
        self._modules: set[Address] = set()
        self._plans: dict[RunId, Plan] = {}
        self._said: list[ev.LocatorAnnounced] = []
        self._waiting: defaultdict[RunId, list[ev.LedgerEvent]] = defaultdict(list)
        self._reads: defaultdict[Place, list[_Read]] = defaultdict(list)

    @property
    def telling(self) -> frozenset[Place]:
        """Return the blobs of which `read` wants to know what they say."""
        return frozenset(self._reads)

    def look(self) -> None:
        """Read what is new on the ledger.

        Raises:
            LedgerError: The chain does not answer.
        """
        head = self._reader.head()
        if head == self._head:
            return
        if self._head is not None and not self._follows(self._head, head):
            self._start_over()
        first = self._reader.deployment.block if self._head is None else self._head.number + 1
        for event in self._reader.events(_KINDS, first):
            if event.log.block <= head.number:
                self._note(event)
        for event in self._reader.module_events(sorted(self._modules), first):
            if event.log.block <= head.number:
                self._note_of_run(event.run, event)
        self._head = head

    def read(self, place: Place, data: bytes) -> None:
        """Take in what a kept blob names; one that is malformed names nothing."""
        for take in self._reads.pop(place, []):
            try:
                take(data)
            except FednetError:
                continue

    def _follows(self, last: Head, head: Head) -> bool:
        """Tell whether the chain only grew since the last look."""
        if head.number <= last.number:
            return False
        (now,) = self._reader.blocks([last.number])
        return now.block_hash == last.block_hash

    def _note(self, event: ev.LedgerEvent) -> None:
        match event:
            case ev.AccessRequested():
                self._want((event.purpose, event.purpose_locator), _MAX_TEXT_BYTES)
            case ev.AccessGranted():
                self._want((event.terms, event.terms_locator), _MAX_TEXT_BYTES)
            case ev.RunOpened():
                self._modules.add(event.module)
                place = (event.plan, event.plan_locator)
                self._want(place, MAX_PLAN_SIZE_BYTES, partial(self._open, event))
            case ReaderAdmitted():
                self._want((event.letter, event.letter_locator), LETTER_SIZE_CAP_BYTES)
            case SharesDealt() | SharesDisclosed():
                self._note_of_run(event.run, event)
            case BlobsErased():
                self.erasures += 1
            case ev.LocatorAnnounced():
                self._said.append(event)
                for plan in self._plans.values():
                    self._want_sum(plan, event)

    def _note_of_run(self, run: RunId, event: ev.LedgerEvent) -> None:
        plan = self._plans.get(run)
        if plan is None:
            # Only a plan says how large things may be.
            self._waiting[run].append(event)
            return
        match event:
            case ev.UpdateSubmitted():
                self._want((event.commitment, event.locator), update_blob_limit_bytes(plan))
            case UpdatesBatched():
                rows = len(unpack_positions(event.positions))
                take = partial(self._read_sheet, plan, event, rows)
                self._want((event.sheet, event.sheet_locator), sheet_size_bytes(rows), take)
            case ev.RoundProposed():
                place = (event.record, event.record_locator)
                self._want(place, MAX_RECORD_SIZE_BYTES, partial(self._read_record, plan))
            case SharesDealt():
                cap = dealing_size_bytes(plan.cohort.maximum_sites)
                self._want((event.commitment, event.locator), cap)
            case SharesDisclosed():
                cap = disclosure_size_bytes(plan.cohort.maximum_sites)
                self._want((event.commitment, event.locator), cap)

    def _want(self, place: Place, cap: int, take: _Read | None = None) -> None:
        self.caps[place] = max(cap, self.caps.get(place, 0))
        if take is not None:
            self._reads[place].append(take)

    def _open(self, opened: ev.RunOpened, data: bytes) -> None:
        plan = self._plans[opened.run] = Plan.from_bytes(data)
        self._want((opened.initial_model, opened.initial_model_locator), plan.model.size_bytes)
        for event in self._waiting.pop(opened.run, []):
            self._note_of_run(opened.run, event)
        for said in self._said:
            self._want_sum(plan, said)

    def _want_sum(self, plan: Plan, said: ev.LocatorAnnounced) -> None:
        """Want what may be the sum of encrypted updates: that it is one, only its bytes say."""
        if said.site in plan.homomorphic.aggregator_sites:
            self._want((said.commitment, said.locator), sum_size_limit_bytes(plan))

    def _read_sheet(self, plan: Plan, batch: UpdatesBatched, rows: int, data: bytes) -> None:
        for row, entry in enumerate(read_sheet(data, rows, f"sheet {batch.sheet}")):
            commitment = batch.rows[row * ROW_SIZE_BYTES :][: len(ZERO_DIGEST)]
            if len(commitment) == len(ZERO_DIGEST):
                place = (Commitment(commitment), entry.locator)
                self._want(place, update_blob_limit_bytes(plan))

    def _read_record(self, plan: Plan, data: bytes) -> None:
        record = RoundRecord.from_bytes(data, "record")
        size = plan.stored_size_bytes(plan.model.size_bytes)
        self._want((Commitment(record.state), Locator(record.state_locator)), size)
