"""A page costs what its rows cost, wherever it stands and however long the list is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fednet.provenance import LedgerIndex, listings
from fednet.provenance.listings import Filters, Listing
from tests.unit.explorer.generated import DEPLOYMENT, Ledger

SITES, FEW, ROUNDS = 10, 12, 120
PAGE = 20
_STEPS = 100
"""Instructions of SQLite's machine between two calls of the counter."""


def of(folder: Path, rounds: int) -> LedgerIndex:
    ledger = Ledger()
    for number in range(1, SITES + 1):
        ledger.site(number, f"Hospital {number}")
    for run in (1, 2):
        ledger.run(run, SITES, rounds)
    index = LedgerIndex.open(folder / f"{rounds}.sqlite", DEPLOYMENT)
    index.ingest(ledger.blocks())
    return index


@pytest.fixture(scope="module")
def short_and_long(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LedgerIndex, LedgerIndex]]:
    folder = tmp_path_factory.mktemp("paging")
    with closing(of(folder, FEW)) as short, closing(of(folder, ROUNDS)) as long:
        yield short, long


def cost(index: LedgerIndex, listing: Listing[object], filters: Filters) -> int:
    """Count what SQLite does for the newest page."""
    calls = 0

    def called() -> int:
        nonlocal calls
        calls += 1
        return 0

    with index._storage.reading() as db:
        db.set_progress_handler(called, _STEPS)
        try:
            assert len(listing.page(db, filters, PAGE, 0, True)) == PAGE
        finally:
            db.set_progress_handler(None, 0)
    return calls * _STEPS


@pytest.mark.parametrize("filters", [{}, {"run": 1}, {"site": 3}], ids=["all", "run", "site"])
def test_the_newest_updates_of_a_long_list_cost_no_more_than_of_a_short_one(
    short_and_long: tuple[LedgerIndex, LedgerIndex], filters: Filters
) -> None:
    short, long = short_and_long
    few = cost(short, listings.UPDATES, filters)
    assert cost(long, listings.UPDATES, filters) <= 1.5 * few


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "filters",
    [{}, {"run": 1}, {"site": 3}, {"run": 2, "site": 3}, {"grant": 4}, {"run": 1, "dataset": 5}],
)
def test_pages_put_together_are_the_whole_list(
    short_and_long: tuple[LedgerIndex, LedgerIndex], filters: Filters, newest_first: bool
) -> None:
    index = short_and_long[1]
    whole = index.updates(limit=10_000, newest_first=newest_first, **filters)
    assert len(whole) == index.count_updates(**filters)
    places = [(row.block, row.run, row.round, row.site) for row in whole]
    assert places == sorted(places, key=lambda place: place[0], reverse=newest_first)
    paged = [
        row
        for offset in range(0, len(whole), PAGE)
        for row in index.updates(limit=PAGE, offset=offset, newest_first=newest_first, **filters)
    ]
    assert paged == whole
    assert len(set(places)) == len(places) > PAGE


def test_a_datasets_history_is_counted_and_paged(
    short_and_long: tuple[LedgerIndex, LedgerIndex],
) -> None:
    index = short_and_long[1]
    whole = index.history(4, limit=10_000)
    assert len(whole) == index.count_history(4) == 3 + 2 + 2 * ROUNDS
    paged = [
        row
        for offset in range(0, len(whole), PAGE)
        for row in index.history(4, limit=PAGE, offset=offset)
    ]
    assert paged == whole
    assert index.count_history(99) == 0


def test_rounds_are_paged_each_once(
    short_and_long: tuple[LedgerIndex, LedgerIndex],
) -> None:
    index = short_and_long[1]
    found = [
        row.round
        for offset in range(0, ROUNDS, 7)
        for row in index.rounds(1, limit=7, offset=offset, newest_first=True)
    ]
    assert found == list(range(ROUNDS, 0, -1))
