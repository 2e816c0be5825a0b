"""However the same blocks come, split and taken back, the index holds the same."""

from __future__ import annotations

import tempfile
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._records import blocks_of, deployment, digest, state_of, update_of
from fednet.domain import events as ev
from fednet.domain.identity import Address, Commitment, DatasetId, Digest, SiteId
from fednet.domain.ledger import Head
from fednet.errors import LedgerError
from fednet.provenance import IndexedBlock, LedgerIndex
from tests.unit.provenance.contents import content_of

RECORDS = 1_500
BLOCKS = [block for _, block in blocks_of(RECORDS)]
LOG = ev.Log(1, 0, digest("transaction"), Address("0x" + "0" * 40))


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    path = tmp_path_factory.mktemp("whole") / "index.sqlite"
    with closing(LedgerIndex.open(path, deployment())) as index:
        assert index.ingest(BLOCKS) == RECORDS
    return content_of(path)


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.tuples(st.booleans(), st.integers(1, 120)), max_size=12))
def test_splits_and_rollbacks_leave_no_trace(
    at_once: dict[str, list[tuple[object, ...]]], moves: list[tuple[bool, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.sqlite")
        with closing(LedgerIndex.open(path, deployment())) as index:
            done = 0
            for back, count in moves:
                if back:
                    done = max(done - count, 0)
                    index.roll_back(BLOCKS[done].head.number)
                    assert index.head == (BLOCKS[done - 1].head if done else None)
                else:
                    index.ingest(islice(BLOCKS, done, done + count))
                    done = min(done + count, len(BLOCKS) - 1)
                    index.roll_back(BLOCKS[done].head.number)
            index.ingest(BLOCKS[done:])
        assert content_of(path) == at_once


def test_generated_records_are_found(tmp_path: Path) -> None:
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", deployment())) as index:
        index.ingest(BLOCKS)
        found = index.lineage(state_of(1, 20))
        assert [step.round for step in found.steps] == list(range(20, 0, -1))
        tenth = found.steps[10]
        told = [update.verdict for update in sorted(tenth.updates, key=lambda u: u.grant or 0)]
        assert told == ["included"] * 9 + ["invalid"]
        (match,) = index.lookup(str(update_of(1, 7, 3)))
        assert (match.kind, match.run, match.round) == ("update", 1, 7)
        verdicts = {row.verdict for row in index.updates(run=1, round_number=10)}
        assert verdicts == {"included", "invalid"}


def test_two_events_at_one_place_are_refused_whole(tmp_path: Path) -> None:
    event = ev.DatasetClosed(LOG, DatasetId(1), SiteId(1))
    block = IndexedBlock(Head(1, Digest(b"\1" * 32), 5), [event, event])
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", deployment())) as index:
        with pytest.raises(LedgerError):
            index.ingest([block])
        assert (index.head, index.count_events()) == (None, 0)


def test_what_sqlite_cannot_hold_is_held_short(tmp_path: Path) -> None:
    site, largest = SiteId(1), (1 << 64) - 1
    key = Commitment(b"\2" * 32)
    events = [
        ev.SiteApplied(
            LOG, site, Address("0x" + "1" * 40), "\ud800‮" + "x" * 1_000_000, key, key, "\x00;--"
        ),
        ev.DatasetRegistered(
            ev.Log(1, 1, LOG.transaction, LOG.contract), DatasetId(largest), site, key, key, largest
        ),
    ]
    block = IndexedBlock(Head(1, Digest(b"\1" * 32), largest), events)
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", deployment())) as index:
        assert index.ingest([block]) == 2
        row = index.site(1)
        assert row is not None
        assert (row.store_address, len(row.name)) == ("\x00;--", 4_096)
        (held,) = index.datasets()
        assert held.examples == (1 << 63) - 1


@pytest.mark.parametrize("place", [(1 << 60, 0), (1, 1 << 20), (-1, 0)])
def test_impossible_place_is_refused(tmp_path: Path, place: tuple[int, int]) -> None:
    log = ev.Log(place[0], place[1], LOG.transaction, LOG.contract)
    block = IndexedBlock(
        Head(place[0], Digest(b"\1" * 32), 5), [ev.DatasetClosed(log, DatasetId(1), SiteId(1))]
    )
    with (
        closing(LedgerIndex.open(tmp_path / "index.sqlite", deployment())) as index,
        pytest.raises(LedgerError),
    ):
        index.ingest([block])
