"""Index a million generated ledger records, then ask; beside plain SQLite with the same tuples.

The generator plays runs of ten sites of two hundred for a hundred rounds: one
update and one attestation of every site in each round, blocks of some
transactions. Ratios to plain SQLite are of the same process and disk.
"""

from __future__ import annotations

import gc
import hashlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks._figures import show
from benchmarks._records import ROUNDS, SITES, blocks_of, deployment, state_of, update_of
from fednet.provenance import IndexedBlock, LedgerIndex

MINUTES = 2, 2
RECORDS = 1_000_000
AT_LEAST_PER_SECOND = 10_000
AT_MOST_MILLISECONDS = 10.0
QUESTIONS = 300
_CHUNK = 20_000


def main() -> int:
    """Print rows of JSON; return 1 if a promise does not hold."""
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        return 0 if all([*measure(Path(name))]) else 1


def measure(folder: Path) -> Iterator[bool]:
    """Ingest, then ask; show each figure and tell whether it holds."""
    with closing(LedgerIndex.open(folder / "index.sqlite", deployment())) as index:
        seconds, plain_seconds, runs = _ingest(index, folder / "plain.sqlite")
        rate = RECORDS / seconds
        yield show(
            "index", f"{RECORDS:,} records indexed", round(rate), "records/s",
            at_least=AT_LEAST_PER_SECOND,
        )  # fmt: skip
        what = "time of plain SQLite, one table and one index of the same rows, over ours"
        yield show("index", what, round(plain_seconds / seconds, 3))
        size = (folder / "index.sqlite").stat().st_size / RECORDS
        yield show("index", "size of a record", round(size), "bytes")
        yield from _ask(index, runs)


def _ingest(index: LedgerIndex, plain: Path) -> tuple[float, float, int]:
    """Return the seconds of the index, those of plain SQLite, and how many runs there are."""
    seconds = plain_seconds = 0.0
    runs = 0
    with closing(sqlite3.connect(plain, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE raw (at INTEGER PRIMARY KEY, kind TEXT, tx BLOB)")
        db.execute("CREATE INDEX raw_tx ON raw (tx)")
        for run, chunk in _chunks():
            runs = run
            began = time.perf_counter()
            index.ingest(chunk)
            seconds += time.perf_counter() - began
            raw = [
                (each.log.block << 20 | each.log.index, type(each).__name__, each.log.transaction)
                for block in chunk
                for each in block.events
            ]
            began = time.perf_counter()
            db.execute("BEGIN")
            db.executemany("INSERT INTO raw VALUES (?, ?, ?)", raw)
            db.execute("COMMIT")
            plain_seconds += time.perf_counter() - began
    return seconds, plain_seconds, runs


def _chunks() -> Iterator[tuple[int, list[IndexedBlock]]]:
    chunk: list[IndexedBlock] = []
    held, run = 0, 0
    for run, block in blocks_of(RECORDS):
        chunk.append(block)
        held += len(block.events)
        if held >= _CHUNK:
            yield run, chunk
            chunk, held = [], 0
    if chunk:
        yield run, chunk


def _ask(index: LedgerIndex, runs: int) -> Iterator[bool]:
    whole = max(runs - 1, 1)
    """Runs that are complete."""
    gc.collect()
    gc.freeze()  # as the explorer does when it starts

    def lineage(number: int) -> None:
        assert len(index.lineage(state_of(number % whole + 1, ROUNDS)).steps) == ROUNDS

    def site(number: int) -> None:
        assert index.site(number % SITES + 1) is not None
        assert index.contributions(number % SITES + 1)

    def commitment(number: int) -> None:
        wanted = update_of(number % whole + 1, number % ROUNDS + 1, number % 10)
        assert [each.kind for each in index.lookup(str(wanted))] == ["update"]

    def nothing(number: int) -> None:
        assert index.lookup(hashlib.sha256(b"%d" % number).hexdigest()) == []

    questions: dict[str, Callable[[int], None]] = {
        f"lineage of round {ROUNDS}": lineage,
        "a site and what it gave": site,
        "look-up of a commitment": commitment,
        "look-up of what is not there": nothing,
    }
    for name, question in questions.items():
        spent = []
        for number in range(QUESTIONS):
            began = time.perf_counter()
            question(number * 7_919)
            spent.append((time.perf_counter() - began) * 1_000)
        ranked = statistics.quantiles(spent, n=100)
        for what, value in (("median", ranked[49]), ("p99", ranked[98])):
            yield show(
                "index", f"{name}, {what}", round(value, 3), "ms", at_most=AT_MOST_MILLISECONDS
            )


if __name__ == "__main__":
    sys.exit(main())
