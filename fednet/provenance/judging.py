"""What became of updates: the verdict of the proposal that counts, else of the latest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.provenance.rows import UpdateRow

_POSITIONS = """SELECT u.site, (SELECT c.position FROM consents c WHERE c.run = u.run
    AND c.site = u.site AND c.at < u.at ORDER BY c.at DESC LIMIT 1)
    FROM updates u WHERE u.run = ? AND u.round = ? AND u.attempt = ?"""
_JUDGING = """SELECT p.attempt, p.inclusion FROM proposals p
    LEFT JOIN finals f ON f.run = p.run AND f.round = p.round AND f.attempt = p.attempt
    AND f.proposal = p.proposal WHERE p.run = ? AND p.round = ?
    ORDER BY f.at IS NULL, p.attempt DESC, p.proposal DESC LIMIT 1"""
_LAST_ATTEMPT = "SELECT MAX(attempt) FROM attempts WHERE run = ? AND round = ?"
UNREADABLE = "unreadable"


def verdicts_of(packed: bytes, positions: Mapping[int, int]) -> dict[int, str]:
    """Tell what a proposal says of each site that submitted.

    Args:
        packed: The proposal's inclusion.
        positions: Roster position by site.
    """
    if not packed:
        return dict.fromkeys(positions, "included")
    known = {site: at for site, at in positions.items() if at is not None}
    found = unpack_inclusion(packed, set(known.values()))
    if found is None:
        return dict.fromkeys(positions, UNREADABLE)
    names = {each: each.name.lower() for each in Inclusion}
    return {site: names[found[known[site]]] if site in known else UNREADABLE for site in positions}


def judged(db: sqlite3.Connection, updates: Iterable[UpdateRow]) -> list[UpdateRow]:
    """Fill in the verdicts of updates."""
    seen: dict[tuple[int, int, int], Mapping[int, str] | str] = {}
    told = []
    for row in updates:
        place = (row.run, row.round, row.attempt)
        if place not in seen:
            seen[place] = _of_attempt(db, *place)
        found = seen[place]
        verdict = found if isinstance(found, str) else found.get(row.site, UNREADABLE)
        told.append(replace(row, verdict=verdict))
    return told


def _of_attempt(
    db: sqlite3.Connection, run: int, round_number: int, attempt: int
) -> Mapping[int, str] | str:
    judging = db.execute(_JUDGING, (run, round_number)).fetchone()
    if judging is not None and judging[0] == attempt:
        positions = dict(db.execute(_POSITIONS, (run, round_number, attempt)))
        return verdicts_of(judging[1], positions)
    last = db.execute(_LAST_ATTEMPT, (run, round_number)).fetchone()[0]
    return "superseded" if last is not None and attempt < last else "waiting"
