"""What can be asked of the index about disclosures: releases, budgets, readers, erasures."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

from typing import Unpack

from fednet.domain.disclosures import ReleaseStatus
from fednet.provenance import disclosure_rows as rows
from fednet.provenance.asking import PAGE, Asking
from fednet.provenance.building import build
from fednet.provenance.listings import Filters, Listing
from fednet.provenance.schema import INDEX_BITS

_BY_ALL = {
    "run": "x.run = ?", "round_number": "x.round = ?", "site": "x.site = ?",
    "dataset": "x.dataset = ?",
}  # fmt: skip
_OF_DATASET = {name: _BY_ALL[name] for name in ("site", "dataset")}
_TIME_OF = f"(SELECT t.time FROM blocks t WHERE t.number = {{}}.at >> {INDEX_BITS})"

RELEASES = Listing(
    rows.ReleaseRow,
    f"""x.run, x.round, x.attempt, x.site, x.dataset,
    COALESCE(d.decision, {int(ReleaseStatus.REQUESTED)}), x.request, d.reason,
    {_TIME_OF.format("d")}""",
    """release_requests x LEFT JOIN release_decisions d ON d.at = (SELECT MIN(l.at)
    FROM release_decisions l WHERE l.run = x.run AND l.dataset = x.dataset
    AND l.round = x.round AND l.attempt = x.attempt AND l.at > x.at)""",
    _BY_ALL | {"attempt": "x.attempt = ?"},
)
SPENDINGS = Listing(
    rows.SpendingRow,
    "x.run, x.round, x.site, x.dataset, x.epsilon, x.delta",
    "spendings x",
    _BY_ALL,
)
CEILINGS = Listing(
    rows.CeilingRow,
    "x.dataset, x.site, x.epsilon, x.delta, x.grounds",
    "ceilings x",
    _OF_DATASET,
)
READERS = Listing(
    rows.ReaderRow,
    f"""x.reader, x.run, x.site, x.account, x.encryption_key, x.letter, x.letter_locator,
    {_TIME_OF.format("o")}""",
    """readers x LEFT JOIN reader_ends o ON o.at = (SELECT MIN(l.at) FROM reader_ends l
    WHERE l.reader = x.reader)""",
    {name: _BY_ALL[name] for name in ("run", "site")},
)
ERASURES = Listing(
    rows.ErasureRow,
    "x.run, x.site, x.dataset, x.blobs, x.erased, x.grounds",
    "erasures x",
    {name: _BY_ALL[name] for name in ("run", "site", "dataset")},
)
_LATEST = "(SELECT {0} FROM {1} WHERE dataset = :dataset ORDER BY at DESC LIMIT 1)"
_SPENT = """(SELECT SUM(s.{0}) FROM spendings s WHERE s.dataset = :dataset AND s.at =
    (SELECT MAX(l.at) FROM spendings l WHERE l.dataset = s.dataset AND l.run = s.run))"""
_BUDGET = "SELECT :dataset, " + ", ".join(
    f"COALESCE({each}, 0)"
    for each in (
        _LATEST.format("epsilon", "ceilings"),
        _LATEST.format("delta", "ceilings"),
        _SPENT.format("epsilon"),
        _SPENT.format("delta"),
        _LATEST.format("seconds", "retentions"),
    )
)


class DisclosuresAsking(Asking):
    """Answer about disclosures, too; filters are those of ``Asking``."""

    def releases(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.ReleaseRow]:
        """List requests for release and what was decided; by run, round, site, dataset, time."""
        return self._page(RELEASES, filters, limit, offset, newest_first)

    def count_releases(self, **filters: Unpack[Filters]) -> int:
        """Count requests for release."""
        return self._count(RELEASES, filters)

    def spendings(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.SpendingRow]:
        """List what was spent of datasets' privacy; by run, round, site, dataset, time."""
        return self._page(SPENDINGS, filters, limit, offset, newest_first)

    def ceilings(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.CeilingRow]:
        """List ceilings of datasets' privacy; by site, dataset, time."""
        return self._page(CEILINGS, filters, limit, offset, newest_first)

    def readers(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.ReaderRow]:
        """List who was admitted to read sealed blobs; by run, site, time."""
        return self._page(READERS, filters, limit, offset, newest_first)

    def erasures(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.ErasureRow]:
        """List erasures; by run, site, dataset, time."""
        return self._page(ERASURES, filters, limit, offset, newest_first)

    def budget(self, dataset: int) -> rows.BudgetRow:
        """Tell what may be and what is spent of a dataset; nothing where nothing was recorded."""
        named = {"dataset": dataset}
        return self._ask(lambda db: build(rows.BudgetRow, db.execute(_BUDGET, named))[0])
