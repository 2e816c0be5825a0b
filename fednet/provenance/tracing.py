"""What a site gave, what touched a dataset, who was a member when."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from fednet.domain.identity import DatasetId, GrantId, RunId
from fednet.domain.ledger import Standing
from fednet.provenance.building import build
from fednet.provenance.judging import verdicts_of
from fednet.provenance.recording import KIND_NAMES
from fednet.provenance.rows import ContributionRow, EventRow, MemberRow
from fednet.provenance.schema import INDEX_BITS, first_of

_RUNS_OF = """SELECT run FROM consents WHERE site = ? GROUP BY run ORDER BY MIN(at)
    LIMIT ? OFFSET ?"""
_SUBMITTED = "SELECT COUNT(*), MIN(at), MAX(at) FROM updates WHERE site = ? AND run = ?"
_COUNTING = """SELECT COUNT(*), COALESCE(SUM(u.weight), 0) FROM updates u
    JOIN finals f ON f.run = u.run AND f.round = u.round AND f.attempt = u.attempt
    WHERE u.site = ? AND u.run = ?"""
_EXCLUDING = """SELECT p.round, p.attempt, p.inclusion FROM proposals p
    JOIN finals f ON f.run = p.run AND f.round = p.round AND f.attempt = p.attempt
    AND f.proposal = p.proposal WHERE p.run = ? AND p.inclusion != x''"""
_POSITIONS = """SELECT u.site, (SELECT c.position FROM consents c WHERE c.run = u.run
    AND c.site = u.site AND c.at < u.at ORDER BY c.at DESC LIMIT 1), u.weight
    FROM updates u WHERE u.run = ? AND u.round = ? AND u.attempt = ?"""
_GRANTS = """SELECT c.grant_id, (SELECT q.dataset FROM requests q WHERE q.grant_id = c.grant_id)
    FROM consents c WHERE c.site = ? AND c.run = ? ORDER BY c.at"""
_TIME = "SELECT time FROM blocks WHERE number = ?"
_TOUCHED = f"""SELECT e.kind, e.at & {(1 << INDEX_BITS) - 1}, e.run, e.round, e.site, e.dataset,
    e.grant_id, e.account, b.number, b.time, e.tx FROM (
    SELECT at FROM events WHERE dataset = :dataset
    UNION SELECT c.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        WHERE q.dataset = :dataset
    UNION SELECT o.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        JOIN consent_ends o ON o.run = c.run AND o.site = c.site AND o.grant_id = c.grant_id
        WHERE q.dataset = :dataset
    UNION SELECT u.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        JOIN updates u ON u.site = c.site AND u.run = c.run AND u.at > c.at AND u.at <
        COALESCE((SELECT MIN(n.at) FROM consents n WHERE n.run = c.run AND n.site = c.site
        AND n.at > c.at), 9223372036854775807)
        WHERE q.dataset = :dataset
    ) t JOIN events e ON e.at = t.at JOIN blocks b ON b.number = e.at >> {INDEX_BITS}
    ORDER BY e.at LIMIT :limit OFFSET :offset"""
_MEMBERS = f"""SELECT m.site, (SELECT name FROM applications n WHERE n.site = m.site),
    (SELECT a.account FROM accounts a WHERE a.site = m.site AND a.at < :end
        ORDER BY a.at DESC LIMIT 1),
    COALESCE((SELECT r.roles FROM memberships r WHERE r.site = m.site AND r.at < :end
        AND r.roles IS NOT NULL ORDER BY r.at DESC LIMIT 1), 0),
    m.last >> {INDEX_BITS}, (SELECT time FROM blocks WHERE number = m.last >> {INDEX_BITS})
    FROM (SELECT site, standing, MAX(at) last FROM memberships WHERE at < :end GROUP BY site) m
    WHERE m.standing = {int(Standing.ACTIVE)} ORDER BY m.site"""


def members_before(db: sqlite3.Connection, block: int) -> list[MemberRow]:
    """List the sites that were active at the end of a block."""
    return build(MemberRow, db.execute(_MEMBERS, {"end": first_of(block + 1)}))


def history_of(db: sqlite3.Connection, dataset: int, limit: int, offset: int) -> list[EventRow]:
    """List everything that ever touched a dataset, in the order of the chain."""
    named = {"dataset": dataset, "limit": limit, "offset": offset}
    return build(
        EventRow, ((KIND_NAMES[kind], *rest) for kind, *rest in db.execute(_TOUCHED, named))
    )


def contributions_of(
    db: sqlite3.Connection, site: int, limit: int, offset: int
) -> list[ContributionRow]:
    """Sum up what a site gave, a row for each run it ever consented to."""
    found = db.execute(_RUNS_OF, (site, limit, offset)).fetchall()
    return [_contribution(db, site, run) for (run,) in found]


def _contribution(db: sqlite3.Connection, site: int, run: int) -> ContributionRow:
    def one(statement: str, *values: object) -> tuple[Any, ...]:
        found: tuple[Any, ...] = db.execute(statement, values).fetchone()
        return found

    submitted, first, last = one(_SUBMITTED, site, run)
    counting, examples = one(_COUNTING, site, run)
    excluded: Counter[str] = Counter()
    for number, attempt, packed in db.execute(_EXCLUDING, (run,)).fetchall():
        there = db.execute(_POSITIONS, (run, number, attempt)).fetchall()
        verdict = verdicts_of(packed, {each: at for each, at, _ in there}).get(site, "included")
        if verdict != "included":
            excluded[verdict] += 1
            examples -= next(weight for each, _, weight in there if each == site)
    votes = dict(
        db.execute(
            "SELECT agrees, COUNT(*) FROM votes WHERE site = ? AND run = ? GROUP BY agrees",
            (site, run),
        ).fetchall()
    )
    grants = db.execute(_GRANTS, (site, run)).fetchall()
    consented = one("SELECT MIN(at), MAX(at) FROM consents WHERE site = ? AND run = ?", site, run)
    return ContributionRow(
        run=RunId(run),
        submitted=submitted,
        included=counting - excluded.total(),
        invalid=excluded["invalid"],
        unavailable=excluded["unavailable"],
        examples=examples,
        proposals=one("SELECT COUNT(*) FROM proposals WHERE site = ? AND run = ?", site, run)[0],
        attestations=votes.get(1, 0),
        objections=votes.get(0, 0),
        claimed=one(
            "SELECT COALESCE(SUM(amount), 0) FROM claims WHERE site = ? AND run = ?", site, run
        )[0],
        datasets=tuple(dict.fromkeys(DatasetId(each) for _, each in grants if each is not None)),
        grants=tuple(dict.fromkeys(GrantId(each) for each, _ in grants)),
        first_time=one(_TIME, min(consented[0], first or consented[0]) >> INDEX_BITS)[0],
        last_time=one(_TIME, max(consented[1], last or consented[1]) >> INDEX_BITS)[0],
    )
