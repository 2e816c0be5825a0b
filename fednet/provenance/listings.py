"""What can be listed, filtered, counted and paged: one query for each kind of row."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar

from fednet.domain.ledger import AccessStatus, Standing
from fednet.provenance import rows
from fednet.provenance.building import build
from fednet.provenance.recording import KIND_NAMES
from fednet.provenance.schema import INDEX_BITS, NOWHERE, first_of

Row = TypeVar("Row")


class Filters(TypedDict, total=False):
    """What a listing can be held to; a filter that says nothing of a row is refused."""

    run: int
    round_number: int
    attempt: int
    proposal: int
    site: int
    dataset: int
    grant: int
    kind: str
    since: int
    """Earliest time of the block, seconds since 1970."""
    until: int
    """Latest time of the block."""
    block: int
    transaction: bytes


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """How one kind of row is asked for; ``x`` is the table whose keys order them."""

    row: type[Row]
    columns: str
    tables: str
    filters: Mapping[str, str] = field(default_factory=dict)
    """Condition by filter, each with one mark."""
    always: str = ""
    """Condition that every row meets."""

    def page(
        self, db: sqlite3.Connection, given: Filters, limit: int, offset: int, newest: bool
    ) -> list[Row]:
        """Return some rows in the order of the chain, or newest first.

        The page's keys are found first, along an index that is in their order where the
        schema has one: what is told of a row is looked up for the rows of the page alone.
        """
        where, values = self._where(db, given)
        way = "DESC" if newest else "ASC"
        # Where an event has one row the two are the same; a batch has many under one place.
        order = f"x.at {way}, x.rowid {way}"
        keys = f"SELECT x.rowid FROM {self.tables} {where} ORDER BY {order} LIMIT ? OFFSET ?"
        statement = (
            f"SELECT {self.columns}, x.at >> {INDEX_BITS}, b.time, e.tx FROM {self.tables} "
            f"JOIN blocks b ON b.number = x.at >> {INDEX_BITS} JOIN events e ON e.at = x.at "
            f"WHERE x.rowid IN ({keys}) ORDER BY {order}"
        )
        return build(self.row, db.execute(statement, (*values, max(limit, 0), max(offset, 0))))

    def count(self, db: sqlite3.Connection, given: Filters) -> int:
        """Count all rows that the filters leave."""
        where, values = self._where(db, given)
        statement = f"SELECT COUNT(*) FROM {self.tables} {where}"
        return int(db.execute(statement, values).fetchone()[0])

    def _where(self, db: sqlite3.Connection, given: Filters) -> tuple[str, list[Any]]:
        conditions = [self.always] if self.always else []
        values: list[Any] = []
        for name, value in given.items():
            if value is None:
                continue
            if name in ("since", "until", "block"):
                for condition, key in _bounds(db, name, int(str(value))):
                    conditions.append(condition)
                    values.append(key)
            elif name in self.filters:
                conditions.append(self.filters[name])
                values.append(value)
            else:
                raise TypeError(f"{self.row.__name__} cannot be filtered by {name}")
        return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


def last_block_until(db: sqlite3.Connection, time: int) -> int:
    """Find the last known block of a time or before; NOWHERE if there is none."""
    found = db.execute(
        "SELECT number FROM blocks WHERE time <= ? ORDER BY time DESC, number DESC LIMIT 1", (time,)
    ).fetchone()
    return int(found[0]) if found else NOWHERE


def _bounds(db: sqlite3.Connection, name: str, value: int) -> list[tuple[str, int]]:
    value = max(min(value, (1 << 62) - 1), 0)
    if name == "until":
        return [("x.at < ?", first_of(last_block_until(db, value) + 1))]
    if name == "since":
        return [("x.at >= ?", first_of(last_block_until(db, value - 1) + 1))]
    block = min(value, 1 << 42)
    return [("x.at >= ?", first_of(block)), ("x.at < ?", first_of(block + 1))]


def _same(*names: str) -> dict[str, str]:
    return {name: f"x.{ {'round_number': 'round', 'grant': 'grant_id'}.get(name, name) } = ?"
            for name in names}  # fmt: skip


_PLACE = "p.run = x.run AND p.round = x.round AND p.attempt = x.attempt"
_VOTES = "(SELECT COUNT(*) FROM votes v WHERE v.run = {0}.run AND v.round = {0}.round AND " \
         "v.attempt = {0}.attempt AND v.proposal = {0}.proposal AND v.agrees = {1})"  # fmt: skip

RUNS = Listing(
    rows.RunRow,
    """x.run, x.researcher, x.module, x.plan, x.plan_locator, x.initial_model,
    x.initial_model_locator, x.transferable,
    COALESCE((SELECT CASE completed WHEN 1 THEN 'completed' ELSE 'aborted' END
        FROM run_ends o WHERE o.run = x.run),
        CASE WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.run = x.run)
        THEN 'running' ELSE 'gathering' END),
    (SELECT COALESCE(MAX(a.round), 0) FROM attempts a WHERE a.run = x.run),
    (SELECT COUNT(*) FROM finals f WHERE f.run = x.run),
    (SELECT COUNT(DISTINCT c.site) FROM consents c WHERE c.run = x.run),
    (SELECT COUNT(*) FROM updates u WHERE u.run = x.run)""",
    "runs x",
    _same("run")
    | {
        "site": "x.run IN (SELECT run FROM consents WHERE site = ?)",
        "dataset": "x.run IN (SELECT c.run FROM consents c JOIN requests q "
        "ON q.grant_id = c.grant_id WHERE q.dataset = ?)",
    },
)

ROUNDS = Listing(
    rows.RoundRow,
    f"""x.run, x.round,
    CASE WHEN f.at IS NOT NULL THEN 'final' WHEN EXISTS (SELECT 1 FROM run_ends o
        WHERE o.run = x.run AND o.completed = 0) THEN 'aborted' ELSE 'open' END,
    x.attempt, x.cohort, x.quorum,
    (SELECT COUNT(*) FROM updates u WHERE u.run = x.run AND u.round = x.round
        AND u.attempt = x.attempt),
    p.proposal, p.site, {_VOTES.format("p", 1)}, {_VOTES.format("p", 0)},
    p.state, p.record, p.record_locator, p.credits_total,
    (SELECT t.time FROM blocks t WHERE t.number = f.at >> {INDEX_BITS})""",
    f"""attempts x LEFT JOIN finals f ON f.run = x.run AND f.round = x.round
    LEFT JOIN proposals p ON {_PLACE} AND p.proposal = COALESCE(f.proposal,
        (SELECT MAX(q.proposal) FROM proposals q WHERE q.run = x.run AND q.round = x.round
        AND q.attempt = x.attempt))""",
    _same("run", "round_number"),
    """x.attempt = COALESCE(f.attempt, (SELECT MAX(a.attempt) FROM attempts a
    WHERE a.run = x.run AND a.round = x.round))""",
)

UPDATES = Listing(
    rows.UpdateRow,
    """x.run, x.round, x.attempt, x.stage, x.site, x.weight, x.commitment, x.locator,
    x.batcher, c.grant_id, (SELECT q.dataset FROM requests q WHERE q.grant_id = c.grant_id)""",
    """updates x LEFT JOIN consents c ON c.at = (SELECT MAX(k.at) FROM consents k
    WHERE k.run = x.run AND k.site = x.site AND k.at < x.at)""",
    _same("run", "round_number", "attempt", "site")
    | {
        "grant": "c.grant_id = ?",
        "dataset": "c.grant_id IN (SELECT grant_id FROM requests WHERE dataset = ?)",
    },
)

PROPOSALS = Listing(
    rows.ProposalRow,
    f"""x.run, x.round, x.attempt, x.proposal, x.site,
    CASE WHEN EXISTS (SELECT 1 FROM finals p WHERE {_PLACE} AND p.proposal = x.proposal)
        THEN 'final' WHEN EXISTS (SELECT 1 FROM proposal_ends p WHERE {_PLACE}
        AND p.proposal = x.proposal) THEN 'ended' ELSE 'open' END,
    {_VOTES.format("x", 1)}, {_VOTES.format("x", 0)}, x.credits_total, x.record,
    x.record_locator, x.state, x.credits_root, x.deadline, x.inclusion""",
    "proposals x",
    _same("run", "round_number", "attempt", "proposal", "site"),
)

VOTES = Listing(
    rows.VoteRow,
    "x.run, x.round, x.attempt, x.proposal, x.site, x.agrees, x.value",
    "votes x",
    _same("run", "round_number", "attempt", "proposal", "site"),
)

SITES = Listing(
    rows.SiteRow,
    f"""x.site, x.name,
    (SELECT a.account FROM accounts a WHERE a.site = x.site ORDER BY a.at DESC LIMIT 1),
    (SELECT m.standing FROM memberships m WHERE m.site = x.site ORDER BY m.at DESC LIMIT 1),
    COALESCE((SELECT m.roles FROM memberships m WHERE m.site = x.site AND m.roles IS NOT NULL
        AND m.standing = {int(Standing.ACTIVE)} ORDER BY m.at DESC LIMIT 1), 0),
    x.metadata,
    (SELECT k.encryption_key FROM site_keys k WHERE k.site = x.site ORDER BY k.at DESC LIMIT 1),
    (SELECT s.store_address FROM stores s WHERE s.site = x.site ORDER BY s.at DESC LIMIT 1),
    (SELECT COUNT(*) FROM datasets d WHERE d.site = x.site),
    (SELECT COUNT(*) FROM updates u WHERE u.site = x.site)""",
    "applications x",
    _same("site") | {"run": "x.site IN (SELECT site FROM consents WHERE run = ?)"},
)

DATASETS = Listing(
    rows.DatasetRow,
    """x.dataset, x.site, x.description, x.data, x.examples,
    EXISTS (SELECT 1 FROM dataset_closures o WHERE o.dataset = x.dataset),
    (SELECT COUNT(*) FROM requests q WHERE q.dataset = x.dataset)""",
    "datasets x",
    _same("site", "dataset")
    | {
        "run": "x.dataset IN (SELECT q.dataset FROM requests q JOIN consents c "
        "ON c.grant_id = q.grant_id WHERE c.run = ?)"
    },
)

ACCESSES = Listing(
    rows.AccessRow,
    f"""x.grant_id, x.dataset, s.site, x.researcher,
    COALESCE(d.status, {int(AccessStatus.REQUESTED)}), x.purpose, x.purpose_locator,
    g.terms, g.terms_locator, g.expiry,
    (SELECT c.run FROM consents c WHERE c.grant_id = x.grant_id ORDER BY c.at DESC LIMIT 1),
    (SELECT t.time FROM blocks t WHERE t.number = d.at >> {INDEX_BITS})""",
    f"""requests x LEFT JOIN datasets s ON s.dataset = x.dataset
    LEFT JOIN decisions d ON d.at = (SELECT MAX(l.at) FROM decisions l
        WHERE l.grant_id = x.grant_id)
    LEFT JOIN decisions g ON g.at = (SELECT MAX(l.at) FROM decisions l
        WHERE l.grant_id = x.grant_id AND l.status = {int(AccessStatus.GRANTED)})""",
    _same("grant", "dataset")
    | {
        "site": "s.site = ?",
        "run": "x.grant_id IN (SELECT grant_id FROM consents WHERE run = ?)",
    },
)

CLAIMS = Listing(
    rows.ClaimRow,
    "x.run, x.round, x.site, x.amount, x.claimed",
    "claims x",
    _same("run", "site"),
)

EVENTS = Listing(
    rows.EventRow,
    f"""x.kind, x.at & {(1 << INDEX_BITS) - 1}, x.run, x.round, x.site, x.dataset, x.grant_id,
    x.account""",
    "events x",
    _same("run", "round_number", "site", "dataset", "grant", "kind") | {"transaction": "x.tx = ?"},
)
KIND_NUMBERS = {name: number for number, name in enumerate(KIND_NAMES)}
