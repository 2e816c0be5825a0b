"""The home's index of the ledger, brought up to the chain before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fednet.cli import wiring
from fednet.cli.app import App

if TYPE_CHECKING:
    from fednet.provenance import LedgerIndex, Refreshed
    from fednet.provenance.listings import Filters

_ALL = 1 << 40
"""Rows at most where every one is wanted."""


@contextmanager
def fresh_index(app: App, rebuild: bool = False) -> Iterator[tuple[LedgerIndex, Refreshed]]:
    """Open this home's index, brought up to the chain's head."""
    reader = wiring.reader(app)
    with wiring.index(app) as opened:
        yield opened, opened.refresh(reader, rebuild)


def runs(app: App, filters: Filters) -> Set[int] | None:
    """Name the runs that filters leave; None if there is no filter."""
    if not filters:
        return None
    with fresh_index(app) as (index, _):
        return {row.run for row in index.runs(limit=_ALL, **filters)}


def rounds(app: App, run: int, filters: Filters) -> Set[int] | None:
    """Name the rounds of a run that filters leave; None if there is no filter."""
    if not filters:
        return None
    with fresh_index(app) as (index, _):
        since, until = filters.get("since"), filters.get("until")
        return {row.round for row in index.rounds(run, limit=_ALL, since=since, until=until)}


def updates(app: App, run: int, filters: Filters) -> Set[tuple[int, int, int]] | None:
    """Name round, attempt and site of the updates that filters leave; None without filters."""
    if not filters:
        return None
    filters["run"] = run
    with fresh_index(app) as (index, _):
        found = index.updates(limit=_ALL, **filters)
    return {(row.round, row.attempt, row.site) for row in found}


def sites(app: App, filters: Filters) -> Set[int] | None:
    """Name the sites that filters leave; None if there is no filter."""
    if not filters:
        return None
    with fresh_index(app) as (index, _):
        return {row.site for row in index.sites(limit=_ALL, **filters)}


def grants(app: App, filters: Filters) -> Set[int] | None:
    """Name the access requests that filters leave; None if there is no filter."""
    if not filters:
        return None
    with fresh_index(app) as (index, _):
        return {row.grant for row in index.accesses(limit=_ALL, **filters)}
