"""What can be asked of the index; every answer is of one moment, long ones come in pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, TypeVar, Unpack

from fednet.domain.identity import Commitment
from fednet.provenance import judging, lineage, listings, lookup, rows, tracing
from fednet.provenance.listings import Filters, Listing
from fednet.provenance.recording import KIND_NAMES
from fednet.provenance.storage import DamagedIndexError

_Row = TypeVar("_Row")
_Answer = TypeVar("_Answer")
PAGE = 50
"""Rows of a page where no limit is given."""


class Readable(Protocol):
    """Whatever hands out a connection to tables of the index's schema."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Read one state of the index."""
        ...


class Asking:
    """Answer from the index's tables; see ``LedgerIndex``.

    Listings come in the order of the chain, or newest first; filters are
    ``listings.Filters``, of which each listing takes those that say something
    of its rows (TypeError for the others).
    """

    def __init__(self, storage: Readable) -> None:
        self._storage = storage

    def runs(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.RunRow]:
        """List runs; by run, site, dataset, since, until."""
        return self._page(listings.RUNS, filters, limit, offset, newest_first)

    def count_runs(self, **filters: Unpack[Filters]) -> int:
        """Count runs."""
        return self._count(listings.RUNS, filters)

    def run(self, run: int) -> rows.RunRow | None:
        """Find one run."""
        return _first(self.runs(run=run, limit=1))

    def rounds(
        self,
        run: int,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        round_number: int | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> list[rows.RoundRow]:
        """List the rounds of a run that ever began; by round_number, since, until."""
        filters = _of_run(run, round_number, since, until)
        return self._page(listings.ROUNDS, filters, limit, offset, newest_first)

    def count_rounds(self, run: int, *, since: int | None = None, until: int | None = None) -> int:
        """Count the rounds of a run that ever began."""
        return self._count(listings.ROUNDS, _of_run(run, None, since, until))

    def round(self, run: int, number: int) -> rows.RoundRow | None:
        """Find one round."""
        return _first(self.rounds(run, round_number=number, limit=1))

    def updates(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.UpdateRow]:
        """List updates with verdicts; by run, round, attempt, site, grant, dataset, time."""

        def ask(db: sqlite3.Connection) -> list[rows.UpdateRow]:
            found = listings.UPDATES.page(db, filters, limit, offset, newest_first)
            return judging.judged(db, found)

        return self._ask(ask)

    def count_updates(self, **filters: Unpack[Filters]) -> int:
        """Count updates."""
        return self._count(listings.UPDATES, filters)

    def proposals(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.ProposalRow]:
        """List proposals; by run, round, attempt, proposal, site, since, until."""
        return self._page(listings.PROPOSALS, filters, limit, offset, newest_first)

    def count_proposals(self, **filters: Unpack[Filters]) -> int:
        """Count proposals."""
        return self._count(listings.PROPOSALS, filters)

    def votes(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.VoteRow]:
        """List attestations and objections; filtered as proposals are."""
        return self._page(listings.VOTES, filters, limit, offset, newest_first)

    def count_votes(self, **filters: Unpack[Filters]) -> int:
        """Count attestations and objections."""
        return self._count(listings.VOTES, filters)

    def sites(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.SiteRow]:
        """List institutions; by site, run, since, until (of the application)."""
        return self._page(listings.SITES, filters, limit, offset, newest_first)

    def count_sites(self, **filters: Unpack[Filters]) -> int:
        """Count institutions."""
        return self._count(listings.SITES, filters)

    def site(self, site: int) -> rows.SiteRow | None:
        """Find one institution."""
        return _first(self.sites(site=site, limit=1))

    def datasets(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.DatasetRow]:
        """List datasets; by dataset, site, run, since, until."""
        return self._page(listings.DATASETS, filters, limit, offset, newest_first)

    def count_datasets(self, **filters: Unpack[Filters]) -> int:
        """Count datasets."""
        return self._count(listings.DATASETS, filters)

    def dataset(self, dataset: int) -> rows.DatasetRow | None:
        """Find one dataset."""
        return _first(self.datasets(dataset=dataset, limit=1))

    def accesses(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.AccessRow]:
        """List requests for access; by grant, dataset, site, run, since, until."""
        return self._page(listings.ACCESSES, filters, limit, offset, newest_first)

    def count_accesses(self, **filters: Unpack[Filters]) -> int:
        """Count requests for access."""
        return self._count(listings.ACCESSES, filters)

    def claims(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.ClaimRow]:
        """List claims of credits; by run, site, since, until."""
        return self._page(listings.CLAIMS, filters, limit, offset, newest_first)

    def count_claims(self, **filters: Unpack[Filters]) -> int:
        """Count claims of credits."""
        return self._count(listings.CLAIMS, filters)

    def events(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[rows.EventRow]:
        """List events; by run, round, site, dataset, grant, kind, transaction, block, time."""
        found = self._page(listings.EVENTS, _numbered(filters), limit, offset, newest_first)
        return [replace(row, kind=KIND_NAMES[int(row.kind)]) for row in found]

    def count_events(self, **filters: Unpack[Filters]) -> int:
        """Count events."""
        return self._count(listings.EVENTS, _numbered(filters))

    def lookup(self, text: str) -> list[rows.Match]:
        """Tell what a text names: digest (or its first digits), CID, address, "run 3", name."""
        return self._ask(lambda db: lookup.matches_of(db, text))

    def lineage(self, commitment: Commitment, run: int | None = None) -> rows.Lineage:
        """Trace a state, a round record or an initial model back to the initial model.

        Raises:
            LedgerError: No model of that commitment is known.
        """
        return self._ask(lambda db: lineage.lineage_of(db, commitment, run))

    def contributions(
        self, site: int, *, limit: int = PAGE, offset: int = 0
    ) -> list[rows.ContributionRow]:
        """Sum up what a site gave, a row for each run it ever consented to."""
        return self._ask(lambda db: tracing.contributions_of(db, site, limit, offset))

    def history(self, dataset: int, *, limit: int = PAGE, offset: int = 0) -> list[rows.EventRow]:
        """List everything that ever touched a dataset, in the order of the chain."""
        return self._ask(lambda db: tracing.history_of(db, dataset, limit, offset))

    def count_history(self, dataset: int) -> int:
        """Count everything that ever touched a dataset."""
        return self._ask(lambda db: tracing.count_history_of(db, dataset))

    def members_at(
        self, *, time: int | None = None, block: int | None = None
    ) -> list[rows.MemberRow]:
        """List who was an active member at a time or at the end of a block; else now."""

        def ask(db: sqlite3.Connection) -> list[rows.MemberRow]:
            last = (1 << 42) if block is None else max(min(block, 1 << 42), 0)
            if time is not None:
                last = min(last, listings.last_block_until(db, time))
            return tracing.members_before(db, last)

        return self._ask(ask)

    def _page(
        self, listing: Listing[_Row], given: Filters, limit: int, offset: int, newest: bool
    ) -> list[_Row]:
        return self._ask(lambda db: listing.page(db, given, limit, offset, newest))

    def _count(self, listing: Listing[Any], given: Filters) -> int:
        return self._ask(lambda db: listing.count(db, given))

    def _ask(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        try:
            with self._storage.reading() as db:
                return question(db)
        except DamagedIndexError:
            if not self._heal():
                raise
        with self._storage.reading() as db:
            return question(db)

    def _heal(self) -> bool:
        """Make a damaged file anew; tell whether that was possible."""
        return False


def _first(found: list[_Row]) -> _Row | None:
    return found[0] if found else None


def _of_run(run: int, round_number: int | None, since: int | None, until: int | None) -> Filters:
    filters: Filters = {"run": run}
    if round_number is not None:
        filters["round_number"] = round_number
    if since is not None:
        filters["since"] = since
    if until is not None:
        filters["until"] = until
    return filters


def _numbered(filters: Filters) -> Filters:
    if "kind" not in filters:
        return filters
    number = listings.KIND_NUMBERS.get(filters["kind"], -1)
    return {**filters, "kind": number}  # type: ignore[typeddict-item]
