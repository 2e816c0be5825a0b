"""Follow the chain: find where index and chain part, read on from there.

Equal hashes of a block mean equal histories before it, so only the newest
blocks are compared, in growing batches, until one agrees.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from fednet.domain.events import LedgerEvent, RunEvent, RunOpened
from fednet.domain.identity import Address, RunId
from fednet.domain.ledger import Head
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError
from fednet.provenance.recording import KINDS, noted_head
from fednet.provenance.rows import IndexedBlock

_FIRST_COMPARED = 8
_MOST_COMPARED = 4_096
_GLOBAL_KINDS = [kind for kind in KINDS if not issubclass(kind, RunEvent)]


def first_gone(db: sqlite3.Connection, reader: LedgerReader, head: Head) -> int | None:
    """Find the first block of the index that the chain has no longer.

    Returns:
        None if the chain only grew. A block number otherwise: up to the one
        before, index and chain agree.
    """
    known = noted_head(db)
    if known is None or _agree(reader, head, [(known.number, known.block_hash)]) == 1:
        return None
    compared, below = _FIRST_COMPARED, 1 << 62
    while True:
        newest = db.execute(
            "SELECT number, hash FROM blocks WHERE number < ? ORDER BY number DESC LIMIT ?",
            (below, compared),
        ).fetchall()
        good = _agree(reader, head, newest)
        if good:
            return int(newest[-good][0]) + 1
        if len(newest) < compared:
            return 0
        below, compared = newest[-1][0], min(compared * 2, _MOST_COMPARED)


def read_on(
    db: sqlite3.Connection, reader: LedgerReader, first: int, head: Head
) -> Iterator[IndexedBlock]:
    """Read the blocks with events from one on up to a head.

    Raises:
        HeadMovedError: The chain was reorganised meanwhile; nothing was given out.
    """
    events: list[LedgerEvent] = list(reader.events(_GLOBAL_KINDS, first))
    modules = _modules(db)
    modules |= {event.run: event.module for event in events if isinstance(event, RunOpened)}
    for said in reader.module_events(sorted(set(modules.values())), first):
        # A module speaks of its own runs alone.
        if modules.get(said.run) == said.log.contract:
            events.append(said)
    events = [event for event in events if first <= event.log.block <= head.number]
    events.sort(key=lambda event: event.log)
    numbers = sorted({event.log.block for event in events})
    heads = {found.number: found for found in reader.blocks(numbers)} if numbers else {}
    if reader.blocks([head.number])[0].block_hash != head.block_hash:
        raise HeadMovedError("the chain was reorganised while it was read", subject="index")
    for number, found in groupby(events, key=lambda event: event.log.block):
        yield IndexedBlock(heads[number], list(found))


def _agree(reader: LedgerReader, head: Head, newest: list[tuple[int, bytes]]) -> int:
    """Count the blocks, from the oldest to the newest whose hash is the chain's."""
    there = [(number, known) for number, known in newest if number <= head.number]
    found = reader.blocks([number for number, _ in there]) if there else []
    good = [each.block_hash == known for each, (_, known) in zip(found, there, strict=True)]
    return len(good) - good.index(True) if True in good else 0


def _modules(db: sqlite3.Connection) -> dict[RunId, Address]:
    return {
        RunId(run): Address(module) for run, module in db.execute("SELECT run, module FROM runs")
    }
