"""What a batch stands for, by what the index holds when it comes; and rows that are replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, UpdatesBatched
from fednet.domain.batches import Unfolding
from fednet.domain.identity import GrantId, RunId, SiteId

_RUNS = "SELECT DISTINCT run FROM updates WHERE batcher IS NOT NULL"
_CONSENTS = """SELECT c.site, c.grant_id, c.position, c.maximum_examples, c.expiry FROM consents c
    WHERE c.run = ? AND c.at = (SELECT MAX(k.at) FROM consents k WHERE k.run = c.run
    AND k.site = c.site) AND NOT EXISTS (SELECT 1 FROM consent_ends o WHERE o.run = c.run
    AND o.site = c.site AND o.at > c.at)"""
_SUBMITTED = "SELECT site FROM updates WHERE run = ? AND round = ? AND attempt = ?"
_VOTED = "SELECT site FROM votes WHERE run = ? AND round = ? AND attempt = ? AND proposal = ?"
_COLUMNS = "run, round, attempt, stage, site, commitment, weight, locator, batcher"
_ROW = "run = ? AND round = ? AND attempt = ? AND site = ?"
_REPLACE = f"""INSERT INTO replaced (at, was_at, {_COLUMNS})
    SELECT ?, at, {_COLUMNS} FROM updates WHERE {_ROW}"""  # noqa: S608 (constants of ours)
_REMOVE = f"DELETE FROM updates WHERE {_ROW}"  # noqa: S608
_RESTORE = f"""INSERT INTO updates (at, {_COLUMNS})
    SELECT was_at, {_COLUMNS} FROM replaced WHERE at >= ? AND was_at < ?"""  # noqa: S608


class Batches:
    """Follow what batches stand for; whatever stands before an event must be in the index."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._runs = {run for (run,) in db.execute(_RUNS)}

    def concerns(self, event: ev.LedgerEvent) -> bool:
        """Tell whether what came before the event has to be looked at."""
        if isinstance(event, ev.UpdateSubmitted):
            return event.run in self._runs
        return isinstance(event, UpdatesBatched | AttestationsBatched)

    def entries(self, event: ev.LedgerEvent) -> Sequence[ev.RunEvent]:
        """List the entries that a batch stands for, by the module's own rules."""
        if not isinstance(event, UpdatesBatched | AttestationsBatched):
            return ()
        place: tuple[int, ...] = (event.run, event.round, event.attempt)
        if isinstance(event, UpdatesBatched):
            self._runs.add(event.run)
            acted = self._db.execute(_SUBMITTED, place)
        else:
            acted = self._db.execute(_VOTED, (*place, event.proposal))
        consents = (
            ev.ConsentGiven(
                log=event.log, run=RunId(event.run), site=SiteId(site), grant=GrantId(grant),
                position=position, maximum_examples=examples, expiry=expiry,
            )
            for site, grant, position, examples, expiry in self._db.execute(
                _CONSENTS, (event.run,)
            ).fetchall()
        )  # fmt: skip
        sites = [SiteId(site) for (site,) in acted.fetchall()]
        return Unfolding.before(event, consents, sites).take(event)

    def replace(self, event: ev.LedgerEvent, at: int) -> None:
        """Put a row aside whose site submits by itself."""
        if isinstance(event, ev.UpdateSubmitted):
            row = (event.run, event.round, event.attempt, event.site)
            self._db.execute(_REPLACE, (at, *row))
            self._db.execute(_REMOVE, row)


def restore(db: sqlite3.Connection, first: int) -> None:
    """Put rows back that were replaced from a place on."""
    db.execute(_RESTORE, (first, first))
