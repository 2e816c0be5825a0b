"""Write a run into one file: what a ledger says of it at one block, what proves it, its blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fednet.domain import events as ev
from fednet.domain.batches import BatchedUpdate, SheetEntry, read_sheet, sheet_size_bytes
from fednet.domain.blobs import BlobFile, BlobStore, open_blob
from fednet.domain.disclosure_events import ReaderAdmitted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import Commitment, Locator, RunId
from fednet.domain.ledger import Head
from fednet.domain.masking_events import SharesDealt, SharesDisclosed
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.sealed_sizes import sealed_size_bytes
from fednet.errors import (
    BlobMissingError,
    DigestMismatchError,
    LedgerError,
    MalformedBlobError,
    PlanError,
    SettingsError,
    VerificationError,
)
from fednet.ledger.bundle import contents
from fednet.ledger.bundle.archive import BLOB_FOLDER, ArchiveWriter, writing
from fednet.ledger.bundle.capture import Capture
from fednet.ledger.bundle.reader import BundleReader
from fednet.ledger.reader import Web3Reader

MARKED_SIZE_CAP_BYTES = 64 * 1024
"""Largest announced blob that is no part of the run but kept with it: a checkpoint."""
LETTER_SIZE_CAP_BYTES = 1 << 20
"""Largest letter with a run's keys that is kept with it."""
SHARES_SIZE_CAP_BYTES = 16 << 20
"""Largest blob of shares of a masked round that is kept with it: 65,535 neighbours'."""
_WIDEST_RING = 2
"""A masked update has up to eight bytes for each value of four."""
_SUM_HEADER_BYTES = 1 << 20
"""What names the updates of an encrypted sum."""
_SLACK_BYTES = 1 << 20
"""What an update may add to the size of the model; the audit is stricter."""
_CHUNK_SIZE_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Told how many blobs are written, and of how many."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export."""

    path: Path
    head: Head
    size_bytes: int
    unproven: str
    """Why the chain's blocks prove nothing; empty if they do."""
    missing: tuple[contents.BlobEntry, ...]
    """Blobs that it does not hold."""
    without_blobs: bool = False
    """Whether it was to hold none."""

    @property
    def complete(self) -> bool:
        """Tell whether it holds what it was to hold for every final round to be verified."""
        return self.without_blobs or not any(entry.needed for entry in self.missing)


@dataclass(frozen=True, slots=True)
class _Wanted:
    commitment: Commitment
    locators: tuple[Locator, ...]
    size_cap_bytes: int
    what: str
    needed: bool


def export_run(
    reader: Web3Reader,
    run: RunId,
    path: Path,
    store: BlobStore | None,
    *,
    fetch_seconds: float,
    force: bool = False,
    kept_with: bytes = b"",
    progress: Progress | None = None,
) -> Exported:
    """Write a bundle of a run.

    Args:
        reader: The ledger.
        run: Run to export, finished or not.
        path: File to write; it appears whole or not at all.
        store: Where blobs come from; None writes their commitments only.
        fetch_seconds: How long to look for one blob.
        force: Replace a file that is there.
        kept_with: Announced blobs whose commitments begin so are exported too.
        progress: Called after each blob.

    Raises:
        SettingsError: The file is there, or cannot be written.
        LedgerError: The ledger cannot be read, or knows no such run.
        HeadMovedError: The chain was reorganised meanwhile.
        StoreUnavailableError: The store does not answer.
    """
    if path.exists() and not force:
        raise SettingsError(
            "is there already", subject=str(path), hint="name another file, or give --force"
        )
    recorded = Capture(reader, run)
    with writing(path) as (archive, unfinished):
        blobs = _Blobs(archive, recorded, store, fetch_seconds, kept_with, progress)
        blobs.write()
        unproven = recorded.write(archive, blobs.entries)
        archive.finish()
        recorded.require_unmoved(reader)
        _require_same(BundleReader(unfinished), recorded)
        size_bytes = unfinished.stat().st_size
    missing = tuple(entry for entry in blobs.entries if not entry.held)
    return Exported(path, recorded.head_seen, size_bytes, unproven, missing, store is None)


@dataclass(slots=True)
class _Blobs:
    """Write the blobs of a run, each once, as far as they can be had."""

    archive: ArchiveWriter
    capture: Capture
    store: BlobStore | None
    fetch_seconds: float
    kept_with: bytes
    progress: Progress | None
    _entries: dict[Commitment, contents.BlobEntry] = field(default_factory=dict)
    _files: dict[Commitment, BlobFile] = field(default_factory=dict)
    _tried: set[_Wanted] = field(default_factory=set)
    _plan: Plan | None = None

    @property
    def entries(self) -> list[contents.BlobEntry]:
        """List what the run names, in the order in which it was looked for."""
        return list(self._entries.values())

    def write(self) -> None:
        """Write plan, initial model, and what each round's proposals name."""
        opened = self.capture.opened()
        plan_file = self._write(
            _Wanted(opened.plan, (opened.plan_locator,), MAX_PLAN_SIZE_BYTES, "plan", True)
        )
        self._plan = _plan_of(plan_file)
        cap = _model_size(self._plan)
        self._write(
            _Wanted(
                opened.initial_model, (opened.initial_model_locator,), cap, "initial model", True
            )
        )
        masked = self.capture.masking_times(self.capture.run_id) is not None
        update_cap = cap * _WIDEST_RING if masked else cap
        if self._plan is not None and self._plan.is_encrypted:
            section = self._plan.homomorphic
            ciphertexts = section.ciphertext_size_bytes(cap) + _SLACK_BYTES
            update_cap = sealed_size_bytes(ciphertexts, len(section.aggregators))
        wanted = list(self._of_rounds(update_cap + _SLACK_BYTES))
        wanted += [*self._shares(), *self._announced(), *self._letters()]
        for done, entry in enumerate(wanted):
            file = self._write(entry)
            if entry.what.startswith("record of") and file is not None:
                self._write_state(entry, file, cap)
            if self.progress is not None:
                self.progress(done + 1, len(wanted))

    def _of_rounds(self, cap: int) -> Iterator[_Wanted]:
        for number, entry in sorted(self.capture.history.rounds.items()):
            for at, attempt in sorted(entry.attempts.items()):
                needed = attempt is entry.final_attempt
                where = f"round {number}, attempt {at}"
                yield from self._of_attempt(attempt, where, needed, cap)

    def _of_attempt(
        self, attempt: AttemptHistory, where: str, needed: bool, cap: int
    ) -> Iterator[_Wanted]:
        if not attempt.proposals:
            return
        for site, submission in sorted(attempt.submissions.items()):
            what = f"update of site {site} in {where}"
            locator = submission.locator
            if isinstance(submission, BatchedUpdate):
                sheet = self._write_sheet(submission, where, needed)
                if submission.row >= len(sheet):
                    continue
                locator = sheet[submission.row].locator
            yield _Wanted(submission.commitment, (locator,), cap, what, needed)
        last = max(attempt.proposals)
        for number, proposal in sorted(attempt.proposals.items()):
            said, what = proposal.proposed, f"record of {where}, proposal {number}"
            yield _Wanted(
                said.record, (said.record_locator,), MAX_RECORD_SIZE_BYTES, what,
                needed and number == last,
            )  # fmt: skip

    def _write_sheet(self, row: BatchedUpdate, where: str, needed: bool) -> list[SheetEntry]:
        """Write the sheet that says where a batch's updates are; empty if it is none."""
        cap, what = sheet_size_bytes(row.rows), f"sheet of a batch in {where}"
        file = self._write(_Wanted(row.sheet, (row.sheet_locator,), cap, what, needed))
        if file is not None:
            with suppress(MalformedBlobError):
                return read_sheet(file.read_bytes(), row.rows, what)
        return []

    def _shares(self) -> Iterator[_Wanted]:
        """Name what sites dealt and disclosed in masked rounds: it unmasks their sums."""
        final = {
            (number, entry.finalized.attempt)
            for number, entry in self.capture.history.rounds.items()
            if entry.finalized is not None
        }
        for event in self.capture.seen:
            if (
                isinstance(event, SharesDealt | SharesDisclosed)
                and event.run == self.capture.run_id
            ):
                kind = "dealt" if isinstance(event, SharesDealt) else "disclosed"
                where = f"round {event.round}, attempt {event.attempt}"
                yield _Wanted(
                    event.commitment, (event.locator,), SHARES_SIZE_CAP_BYTES,
                    f"shares {kind} by site {event.site} in {where}",
                    (event.round, event.attempt) in final,
                )  # fmt: skip

    def _announced(self) -> Iterator[_Wanted]:
        for event in self.capture.seen:
            if (
                self.kept_with
                and isinstance(event, ev.LocatorAnnounced)
                and event.commitment.startswith(self.kept_with)
            ):
                what = f"announced by site {event.site}"
                yield _Wanted(
                    event.commitment, (event.locator,), MARKED_SIZE_CAP_BYTES, what, False
                )

    def _letters(self) -> Iterator[_Wanted]:
        """Name the sealed letters that let readers of this run's blobs read them."""
        for event in self.capture.seen:
            if isinstance(event, ReaderAdmitted) and event.run == self.capture.run_id:
                what, places = f"letter to reader {event.reader}", (event.letter_locator,)
                yield _Wanted(event.letter, places, LETTER_SIZE_CAP_BYTES, what, False)

    def _write_state(self, entry: _Wanted, file: BlobFile, cap: int) -> None:
        """Write the state that a record names, which alone says where it is."""
        try:
            record = RoundRecord.from_bytes(file.read_bytes(), entry.what)
        except MalformedBlobError:
            return
        what = entry.what.replace("record", "state", 1)
        locators = (Locator(record.state_locator),)
        self._write(_Wanted(Commitment(record.state), locators, cap, what, entry.needed))
        self._write_sum(entry, record, cap)

    def _write_sum(self, entry: _Wanted, record: RoundRecord, cap: int) -> None:
        """Write the sum of encrypted updates that a record names; aggregators say where it is."""
        said = record.outcome.get("sum")
        if self._plan is None or not self._plan.is_encrypted or not isinstance(said, str):
            return
        try:
            commitment = Commitment(said)
        except VerificationError:
            return
        size = self._plan.homomorphic.ciphertext_size_bytes(cap) + _SUM_HEADER_BYTES
        what = entry.what.replace("record", "sum", 1)
        self._write(_Wanted(commitment, tuple(self._others(commitment)), size, what, entry.needed))

    def _write(self, wanted: _Wanted) -> BlobFile | None:
        """Write one blob unless it is there; return the file that it was copied from.

        Others may name the same bytes with a place where they are not, so what is
        not there yet is looked for at each place that is named.
        """
        commitment = wanted.commitment
        if commitment not in self._files and wanted not in self._tried:
            self._tried.add(wanted)
            file = self._fetch(wanted)
            if file is not None:
                self._copy(commitment, file)
                self._files[commitment] = file
        known = self._entries.get(commitment)
        self._entries[commitment] = contents.BlobEntry(
            commitment=str(commitment),
            what=known.what if known else wanted.what,
            needed=wanted.needed or (known is not None and known.needed),
            held=commitment in self._files,
        )
        return self._files.get(commitment)

    def _fetch(self, wanted: _Wanted) -> BlobFile | None:
        if self.store is None:
            return None
        commitment, cap = wanted.commitment, wanted.size_cap_bytes
        for locators in (wanted.locators, self._others(commitment)):
            with suppress(BlobMissingError, DigestMismatchError, MalformedBlobError):
                return self.store.fetch(commitment, locators, cap, self.fetch_seconds)
        return None

    def _copy(self, commitment: Commitment, file: BlobFile) -> None:
        """Copy a blob, hashing what is written: a file may change under us."""
        digest = hashlib.sha256()
        with (
            self.archive.member(BLOB_FOLDER + commitment.hex()) as target,
            open_blob(file) as source,
        ):
            while chunk := source.read(_CHUNK_SIZE_BYTES):
                digest.update(chunk)
                target.write(chunk)
        if digest.digest() != commitment:
            raise LedgerError("a blob changed while it was exported", subject=f"blob {commitment}")

    def _others(self, commitment: Commitment) -> list[Locator]:
        return [
            event.locator
            for event in self.capture.seen
            if isinstance(event, ev.LocatorAnnounced) and event.commitment == commitment
        ]


def _plan_of(plan_file: BlobFile | None) -> Plan | None:
    """Read the plan; nothing else can be fetched without it."""
    if plan_file is None:
        return None
    try:
        return Plan.from_bytes(plan_file.read_bytes(), "plan")
    except PlanError:
        return None


def _model_size(plan: Plan | None) -> int:
    """Tell how large a plan's states are as they are stored."""
    return 0 if plan is None else plan.stored_size_bytes(plan.model.size_bytes)


def _require_same(bundle: BundleReader, capture: Capture) -> None:
    """Read the bundle back: it must give the events that the ledger gave.

    Raises:
        LedgerError: It does not; the node's logs and receipts contradict each other.
    """
    same = bundle.run_events(capture.run_id, capture.deployment.block) == capture.of_run
    kinds = {type(event) for event in capture.seen}
    if not same or list(bundle.events(list(kinds))) != list(capture.seen):
        raise LedgerError(
            "the node's logs are not those in its receipts",
            subject=f"run {capture.run_id}",
            hint="`fednet audit` names them; export from another node",
        )
