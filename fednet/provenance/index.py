"""The index: follows the chain, and answers what would take a reading of the whole log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from fednet.domain.ledger import Deployment, Head
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError
from fednet.provenance import following, recording
from fednet.provenance.rows import IndexedBlock, Refreshed
from fednet.provenance.safes.asking import SafesAsking
from fednet.provenance.storage import DamagedIndexError, Storage

_READINGS = 3
"""How often a chain that reorganises while it is read is read again."""


def _silent(_: str) -> None:
    """Tell nobody."""


class LedgerIndex(SafesAsking):
    """Keep the ledger's events in one SQLite file; share it freely between threads.

    The chain is the authority and the audit never looks here. A file that was
    deleted or damaged is made anew from the chain, as is one of another
    deployment or an older schema.
    """

    _storage: Storage

    def __init__(self, storage: Storage, say: Callable[[str], None]) -> None:
        super().__init__(storage)
        self._say = say
        self._reader: LedgerReader | None = None

    @classmethod
    def open(cls, path: Path, deployment: Deployment, say: Callable[[str], None] = _silent) -> Self:
        """Open an index, made if it is not there.

        Args:
            path: The file; its folder is made.
            deployment: What the index is of.
            say: Told, in one line, when everything has to be read again.

        Raises:
            SettingsError: The file cannot be made.
        """
        return cls(Storage(path, deployment), say)

    def close(self) -> None:
        """Close the file."""
        self._storage.close()

    @property
    def head(self) -> Head | None:
        """The block up to which the index has read; None if it never did."""
        with self._storage.reading() as db:
            return recording.noted_head(db)

    def refresh(self, reader: LedgerReader, rebuild: bool = False) -> Refreshed:
        """Read what is new, having removed what the chain no longer has.

        Args:
            reader: The ledger of the index's deployment.
            rebuild: Read everything again.

        Raises:
            HeadMovedError: The chain is reorganised faster than it can be read.
            LedgerError: The chain does not answer.
            SettingsError: The file cannot be written.
        """
        try:
            done = self._refresh(reader, rebuild)
        except DamagedIndexError:
            done = self._refresh(reader, rebuild)
        self._reader = reader
        return done

    def ingest(self, blocks: Iterable[IndexedBlock]) -> int:
        """Take in blocks that follow what is there; return how many events they had.

        Raises:
            LedgerError: An event stands where another does.
        """
        with self._storage.writing() as db:
            return _ingest(db, blocks)

    def roll_back(self, block: int) -> int:
        """Remove a block and all after it; return how many events went."""
        with self._storage.writing() as db, _transaction(db):
            return recording.take_back(db, block)

    def _refresh(self, reader: LedgerReader, rebuild: bool) -> Refreshed:
        with self._storage.writing(rebuild) as db:
            reason = "as asked" if rebuild else self._storage.thrown_away
            if not reason and self._reader is not None and recording.noted_head(db) is None:
                reason = "it was gone"
            self._storage.thrown_away = ""
            if reason:
                self._say(f"the index is built anew from the chain: {reason}")
            removed = 0
            for _ in range(_READINGS):
                head = reader.head()
                gone = following.first_gone(db, reader, head)
                if gone is not None:
                    with _transaction(db):
                        removed += recording.take_back(db, gone)
                try:
                    added = self._read_on(db, reader, head)
                except HeadMovedError:
                    continue
                return Refreshed(head, added, removed, reason)
        raise HeadMovedError("the chain is reorganised faster than it can be read", subject="index")

    def _read_on(self, db: sqlite3.Connection, reader: LedgerReader, head: Head) -> int:
        known = recording.noted_head(db)
        first = reader.deployment.block if known is None else known.number + 1
        added = 0
        if first <= head.number:
            added = _ingest(db, following.read_on(db, reader, first, head))
        with _transaction(db):
            recording.note_head(db, head)
        return added

    def _heal(self) -> bool:
        if self._reader is None:
            return False
        self.refresh(self._reader)
        return True


def _ingest(db: sqlite3.Connection, blocks: Iterable[IndexedBlock]) -> int:
    count = 0
    for batch in _batches(blocks):
        with _transaction(db):
            count += recording.record(db, batch)
    return count


def _batches(blocks: Iterable[IndexedBlock]) -> Iterator[list[IndexedBlock]]:
    batch: list[IndexedBlock] = []
    held = 0
    for block in blocks:
        batch.append(block)
        held += len(block.events) + 1
        if held >= recording.BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
