"""What a site gave, what touched a dataset, who was a member when."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import sqlite3
from collections import Counter
from functools import lru_cache
from typing import Any

from fednet.domain.identity import DatasetId, GrantId, RunId
from fednet.domain.ledger import Standing
from fednet.provenance.building import build
from fednet.provenance.judging import UNREADABLE, verdicts_of
from fednet.provenance.recording import KIND_NAMES
from fednet.provenance.rows import ContributionRow, EventRow, MemberRow
from fednet.provenance.schema import INDEX_BITS, first_of

_RUNS_OF = """SELECT run FROM consents WHERE site = ? GROUP BY run ORDER BY MIN(at)
    LIMIT ? OFFSET ?"""
_UPDATES = "SELECT at, round, attempt, weight FROM updates WHERE site = ? AND run = ?"
_FINALS = "SELECT round, attempt, proposal FROM finals WHERE run = ?"
_EXCLUDING = """SELECT round, attempt, proposal, inclusion FROM proposals
    WHERE run = ? AND inclusion != x''"""
_PLACES = "SELECT at, position FROM consents WHERE site = ? AND run = ? ORDER BY at"
_GRANTS = """SELECT c.grant_id, (SELECT q.dataset FROM requests q WHERE q.grant_id = c.grant_id)
    FROM consents c WHERE c.site = ? AND c.run = ? ORDER BY c.at"""
_TOUCHING = """SELECT at FROM events WHERE dataset = :dataset
    UNION SELECT c.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        WHERE q.dataset = :dataset
    UNION SELECT o.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        JOIN consent_ends o ON o.run = c.run AND o.site = c.site AND o.grant_id = c.grant_id
        WHERE q.dataset = :dataset
    UNION SELECT u.at FROM requests q JOIN consents c ON c.grant_id = q.grant_id
        JOIN updates u ON u.site = c.site AND u.run = c.run AND u.at > c.at AND u.at <
        COALESCE((SELECT MIN(n.at) FROM consents n WHERE n.run = c.run AND n.site = c.site
        AND n.at > c.at), 9223372036854775807)
        WHERE q.dataset = :dataset"""
_TOUCHED = f"""SELECT e.kind, e.at & {(1 << INDEX_BITS) - 1}, e.run, e.round, e.site, e.dataset,
    e.grant_id, e.account, b.number, b.time, e.tx
    FROM (SELECT at FROM ({_TOUCHING}) ORDER BY at LIMIT :limit OFFSET :offset) t
    JOIN events e ON e.at = t.at JOIN blocks b ON b.number = e.at >> {INDEX_BITS}
    ORDER BY e.at"""
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


def count_history_of(db: sqlite3.Connection, dataset: int) -> int:
    """Count everything that ever touched a dataset."""
    found = db.execute(f"SELECT COUNT(*) FROM ({_TOUCHING})", {"dataset": dataset}).fetchone()
    return int(found[0])


def contributions_of(
    db: sqlite3.Connection, site: int, limit: int, offset: int
) -> list[ContributionRow]:
    """Sum up what a site gave, a row for each run it ever consented to."""
    found = db.execute(_RUNS_OF, (site, limit, offset)).fetchall()
    return [_contribution(db, site, run) for (run,) in found]


def _contribution(db: sqlite3.Connection, site: int, run: int) -> ContributionRow:
    def one(statement: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = db.execute(statement, (site, run)).fetchone()
        return found

    updates = db.execute(_UPDATES, (site, run)).fetchall()
    places = db.execute(_PLACES, (site, run)).fetchall()
    finals = {number: rest for number, *rest in db.execute(_FINALS, (run,))}
    excluding = {
        (number, attempt): packed
        for number, attempt, proposal, packed in db.execute(_EXCLUDING, (run,))
        if finals.get(number) == [attempt, proposal]
    }
    counted: Counter[str] = Counter()
    examples = plain = 0
    for at, number, attempt, weight in updates:
        final = finals.get(number)
        if final is None or final[0] != attempt:
            continue
        if (number, attempt) in excluding:
            position = next((place for since, place in reversed(places) if since < at), None)
            verdict = _verdict(excluding[number, attempt], position)
            counted[verdict] += 1
            examples += weight if verdict == "included" else 0
        else:
            plain += 1
            examples += weight
    votes = dict(
        db.execute(
            "SELECT agrees, COUNT(*) FROM votes WHERE site = ? AND run = ? GROUP BY agrees",
            (site, run),
        ).fetchall()
    )
    grants = db.execute(_GRANTS, (site, run)).fetchall()
    acts = [at for at, *_ in places] + [at for at, *_ in updates]
    first, last = (
        db.execute("SELECT time FROM blocks WHERE number = ?", (at >> INDEX_BITS,)).fetchone()[0]
        for at in (min(acts), max(acts))
    )
    return ContributionRow(
        run=RunId(run),
        submitted=len(updates),
        included=counted["included"] + plain,
        invalid=counted["invalid"],
        unavailable=counted["unavailable"],
        examples=examples,
        proposals=one("SELECT COUNT(*) FROM proposals WHERE site = ? AND run = ?")[0],
        attestations=votes.get(1, 0),
        objections=votes.get(0, 0),
        claimed=one("SELECT COALESCE(SUM(amount), 0) FROM claims WHERE site = ? AND run = ?")[0],
        datasets=tuple(dict.fromkeys(DatasetId(each) for _, each in grants if each is not None)),
        grants=tuple(dict.fromkeys(GrantId(each) for each, _ in grants)),
        first_time=first,
        last_time=last,
    )


@lru_cache(maxsize=4_096)
def _verdict(packed: bytes, position: int | None) -> str:
    """Read one position's verdict, whoever else submitted."""
    everybody = {place: place for place in range(len(packed) * 4)}
    found = verdicts_of(packed, everybody)
    return UNREADABLE if position is None else found.get(position, "included")
