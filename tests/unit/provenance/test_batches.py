"""A batch's rows and a committee's votes are listed and traced as if each site had acted alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks._records import deployment, digest
from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.batches import pack_positions, pack_rows, pack_vote
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Head, Inclusion, pack_inclusion
from fednet.errors import LedgerError
from fednet.provenance import IndexedBlock, LedgerIndex
from tests.unit.provenance.contents import content_of

RUN, ROUND, BATCHER = RunId(1), RoundNumber(1), SiteId(13)
MODULE = Address("0x00000000000000000000000000000000000000A1")
SITES = [SiteId(number) for number in (11, 12, BATCHER, 14, 15)]
GONE, ALONE, FORGED = SITES[4], SITES[3], SITES[0]
"""Left before the batch; submits by itself before it; submits by itself after it."""
SHEET = Commitment(digest("sheet"))
STATE = Commitment(digest("state"))


def log(block: int, index: int = 0) -> ev.Log:
    return ev.Log(block, index, Digest(digest("transaction", block)), MODULE)


def update(site: int) -> Commitment:
    return Commitment(digest("update", site))


def own(block: int, site: SiteId) -> ev.UpdateSubmitted:
    at = Locator(digest("locator", site))
    return ev.UpdateSubmitted(log(block), RUN, ROUND, site, 1, 0, update(site), 10, at)


def events() -> Iterator[ev.LedgerEvent]:
    """Tell a round: one site leaves, one submits first, all others are batched, one once more."""
    named = [digest(each) for each in ("plan", "plan at", "model", "model at")]
    yield ev.RunOpened(log(1), RUN, MODULE, MODULE, *named, True, b"")  # type: ignore[arg-type]
    for position, site in enumerate(SITES):
        yield ev.ConsentGiven(log(2, position), RUN, site, GrantId(site), position, 500, 1 << 33)
    yield ev.AttemptStarted(log(3), RUN, ROUND, 1, 5, 5, 2, 1 << 33)
    yield ev.ConsentEnded(log(4), RUN, GONE, GrantId(GONE))
    yield own(5, ALONE)
    rows = {position: (Commitment(digest("row", site)), 20) for position, site in enumerate(SITES)}
    yield UpdatesBatched(
        log(6), RUN, ROUND, BATCHER, 1, SHEET, Locator(digest("at")), pack_positions(rows),
        pack_rows(rows),
    )  # fmt: skip
    yield own(7, FORGED)
    yield ev.SubmissionsClosed(log(7, 1), RUN, ROUND, 1, 4, 1 << 33)
    yield ev.RoundProposed(
        log(8), RUN, ROUND, ALONE, 1, 1, 1_000, Commitment(digest("record")),
        Locator(digest("record at")), STATE, Digest(digest("root")), 1 << 33,
        pack_inclusion({1: Inclusion.INVALID}),
    )  # fmt: skip
    yield CommitteeDrawn(log(9), RUN, ROUND, 1, 1, 8, 3, 0)
    yield ev.RoundAttested(log(9, 1), RUN, ROUND, FORGED, 1, 1, Digest(digest("witness", FORGED)))
    votes = [pack_vote(site, Digest(digest("witness", site)), bytes(65)) for site in SITES[:3]]
    yield AttestationsBatched(log(10), RUN, ROUND, 1, 1, b"".join(votes))
    yield ev.RoundFinalized(log(10, 1), RUN, ROUND, 1, 1)


def blocks() -> list[IndexedBlock]:
    found: dict[int, list[ev.LedgerEvent]] = {}
    for event in events():
        found.setdefault(event.log.block, []).append(event)
    return [
        IndexedBlock(Head(number, Digest(digest("block", number)), number), held)
        for number, held in found.items()
    ]


def sorted_content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(rows, key=repr) for name, rows in content_of(path).items()}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LedgerIndex]:
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", deployment())) as made:
        made.ingest(blocks())
        yield made


def test_updates_and_votes_are_those_of_the_history(index: LedgerIndex) -> None:
    told = RunHistory.of(RUN, [each for each in events() if isinstance(each, ev.RunEvent)])
    attempt = told.rounds[ROUND].attempts[1]
    assert {each.site: (each.commitment, each.weight) for each in index.updates(run=RUN)} == {
        site: (each.commitment, each.weight) for site, each in attempt.submissions.items()
    }
    assert {each.site: each.value for each in index.votes(run=RUN)} == {
        site: each.witness for site, each in attempt.proposals[1].attestations.items()
    }
    (row,) = index.rounds(RUN)
    assert (row.submitted, row.attested, row.status) == (4, 3, "final")
    run = index.run(RUN)
    assert run is not None
    assert run.updates == 4


def test_row_says_who_handed_it_in_and_what_became_of_it(index: LedgerIndex) -> None:
    told = {each.site: each for each in index.updates(run=RUN)}
    assert {site: each.batcher for site, each in told.items()} == {
        FORGED: None, 12: BATCHER, BATCHER: BATCHER, ALONE: None
    }  # fmt: skip
    assert told[SiteId(12)].locator is None
    assert told[SiteId(12)].verdict == "invalid"
    assert told[FORGED].commitment == update(FORGED)
    assert told[FORGED].verdict == "included"


def test_lineage_leads_over_rows_of_a_batch(index: LedgerIndex) -> None:
    (step,) = index.lineage(STATE).steps
    assert [(each.site, each.batcher, each.verdict, each.grant) for each in step.updates] == [
        (FORGED, None, "included", FORGED),
        (12, BATCHER, "invalid", 12),
        (BATCHER, BATCHER, "included", BATCHER),
        (ALONE, None, "included", ALONE),
    ]
    (given,) = index.contributions(BATCHER)
    assert (given.submitted, given.included, given.examples, given.attestations) == (1, 1, 20, 1)


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_one_row_show_every_row_once(index: LedgerIndex, newest_first: bool) -> None:
    def paged(ask: str, total: int) -> list[object]:
        pages = [
            getattr(index, ask)(run=RUN, limit=1, offset=at, newest_first=newest_first)
            for at in range(total + 1)
        ]
        assert [len(page) for page in pages] == [1] * total + [0]
        return [page[0] for page in pages[:-1]]

    for ask, total in (("updates", 4), ("votes", 3)):
        whole = getattr(index, ask)(run=RUN, newest_first=newest_first)
        assert paged(ask, total) == whole
        assert len({each.site for each in whole}) == total


def test_however_blocks_come_and_go_the_index_holds_the_same(
    index: LedgerIndex, tmp_path: Path
) -> None:
    expected, held = sorted_content(tmp_path / "index.sqlite"), blocks()
    for back in range(1, len(held) + 1):
        path = tmp_path / f"{back}.sqlite"
        with closing(LedgerIndex.open(path, deployment())) as other:
            for block in held:
                other.ingest([block])
            other.roll_back(held[-back].head.number)
            with closing(LedgerIndex.open(tmp_path / f"{back}-.sqlite", deployment())) as short:
                short.ingest(held[:-back])
            assert sorted_content(path) == sorted_content(tmp_path / f"{back}-.sqlite")
            other.ingest(held[-back:])
        assert sorted_content(path) == expected


def test_two_batches_at_one_place_are_refused_whole(index: LedgerIndex) -> None:
    batch = next(each for each in events() if isinstance(each, UpdatesBatched))
    before = index.count_updates()
    head = Head(6, Digest(digest("block", 6)), 6)
    with pytest.raises(LedgerError):
        index.ingest([IndexedBlock(head, [batch])])
    assert index.count_updates() == before


def test_lists_are_read_along_an_index(index: LedgerIndex, tmp_path: Path) -> None:
    asked = (
        "SELECT x.rowid FROM updates x WHERE x.run = 1 ORDER BY x.at, x.rowid LIMIT 1",
        "SELECT x.rowid FROM updates x WHERE x.site = 1 ORDER BY x.at DESC, x.rowid DESC LIMIT 1",
        "SELECT x.rowid FROM updates x ORDER BY x.at, x.rowid LIMIT 1",
        "SELECT x.at FROM proposals x ORDER BY x.at, x.rowid LIMIT 1",
    )
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as db:
        for query in asked:
            plan = " ".join(row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "TEMP B-TREE" not in plan, (query, plan)
