"""An index in memory of records that are at hand, for whoever asks once and keeps nothing.

A report is written of the very records that its reader read; the home's index, which is
never the authority, has no part in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from fednet.provenance import recording
from fednet.provenance.rows import IndexedBlock
from fednet.provenance.safes.asking import SafesAsking
from fednet.provenance.schema import SCHEMA


class _Memory:
    """A database without a file, of one thread."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hand out the one connection."""
        yield self.connection


class PassingIndex(SafesAsking):
    """Answer about some blocks; used as a context manager, by one thread.

    Args:
        blocks: In the order of the chain; a block whose events are left out changes nothing.

    Raises:
        LedgerError: Two events stand at one place, or a place cannot be.
    """

    def __init__(self, blocks: Iterable[IndexedBlock]) -> None:
        memory = _Memory()
        super().__init__(memory)
        self._memory = memory
        recording.record(memory.connection, blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.connection.close()
