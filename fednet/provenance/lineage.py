"""Trace a model back to the initial one, through every update that it was made of."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from functools import partial
from typing import Any

from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.errors import LedgerError
from fednet.provenance.judging import verdicts_of
from fednet.provenance.rows import Lineage, LineageStep, LineageUpdate
from fednet.provenance.schema import INDEX_BITS

_commitment: Any = partial(bytes.__new__, Commitment)
_locator: Any = partial(bytes.__new__, Locator)
_digest: Any = partial(bytes.__new__, Digest)

_START = """SELECT p.run, p.round, p.attempt, p.proposal, f.at IS NOT NULL FROM proposals p
    LEFT JOIN finals f ON f.run = p.run AND f.round = p.round AND f.attempt = p.attempt
    AND f.proposal = p.proposal WHERE (p.state = ? OR p.record = ?) AND (? IS NULL OR p.run = ?)
    ORDER BY f.at IS NULL, p.at LIMIT 1"""
_RUN = """SELECT run, researcher, plan, plan_locator, initial_model, initial_model_locator
    FROM runs WHERE """
_STEP = f"""SELECT p.round, p.attempt, p.proposal, p.site, p.state, p.record, p.record_locator,
    p.inclusion, b.number, b.time, e.tx FROM proposals p
    JOIN blocks b ON b.number = p.at >> {INDEX_BITS} JOIN events e ON e.at = p.at
    WHERE p.run = ? AND p.round <= ? ORDER BY p.round DESC"""
_FINALS = "SELECT round, attempt, proposal FROM finals WHERE run = ? AND round < ?"
_UPDATES = """SELECT round, site, weight, commitment, locator, at, attempt, batcher FROM updates
    WHERE run = ? AND round <= ?"""
_CONSENTS = """SELECT c.site, c.at, c.position, c.grant_id, (SELECT q.dataset FROM requests q
    WHERE q.grant_id = c.grant_id) FROM consents c WHERE c.run = ? ORDER BY c.at"""
_NAMES = """SELECT site, name FROM applications WHERE site IN
    (SELECT site FROM consents WHERE run = ? UNION SELECT site FROM proposals WHERE run = ?)"""


def lineage_of(db: sqlite3.Connection, subject: Commitment, run: int | None = None) -> Lineage:
    """Trace a state (or its record, or an initial model) back.

    Args:
        db: The index.
        subject: What to trace; where several runs hold it, a final round counts first.
        run: Only look in this run.

    Raises:
        LedgerError: The index knows no such model.
    """
    found = db.execute(_START, (subject, subject, run, run)).fetchone()
    if found is None:
        opened = db.execute(
            _RUN + "initial_model = ? AND (? IS NULL OR run = ?) ORDER BY at LIMIT 1",
            (subject, run, run),
        ).fetchone()
        if opened is None:
            raise LedgerError(
                "no model of that commitment stands on the ledger",
                subject=str(subject),
                hint="give a state, a round record or an initial model; "
                "`fednet ledger lookup` tells what a commitment is",
            )
        return _lineage(db, subject, opened, ())
    number, last, attempt, proposal, final = found
    opened = db.execute(_RUN + "run = ? LIMIT 1", (number,)).fetchone()
    if opened is None:
        raise LedgerError("the log does not hold the run's opening", subject=f"run {number}")
    # Joined by SQLite, these would be searched once for every row of the other.
    chosen = {(last, attempt, proposal), *db.execute(_FINALS, (number, last))}
    attempts = {place[:2] for place in chosen}
    heads = [head for head in db.execute(_STEP, (number, last)) if head[:3] in chosen]
    found_updates = db.execute(_UPDATES, (number, last))
    updates = [each for each in found_updates if (each[0], each[6]) in attempts]
    steps = _steps(heads, updates, _Consents(db, number), opened[4], bool(final))
    return _lineage(db, subject, opened, steps)


def _lineage(
    db: sqlite3.Connection,
    subject: Commitment,
    opened: tuple[Any, ...],
    steps: tuple[LineageStep, ...],
) -> Lineage:
    run, researcher, plan, plan_locator, model, model_locator = opened
    names = dict(db.execute(_NAMES, (run, run))) if steps else {}
    return Lineage(
        subject, RunId(run), Address(researcher), _commitment(plan), _locator(plan_locator),
        _commitment(model), _locator(model_locator), steps, names,
    )  # fmt: skip


class _Consents:
    """Under which consent a site submitted: the latest before."""

    def __init__(self, db: sqlite3.Connection, run: int) -> None:
        self._keys: defaultdict[int, list[int]] = defaultdict(list)
        self._held: defaultdict[int, list[tuple[int, int, int | None]]] = defaultdict(list)
        for site, at, *rest in db.execute(_CONSENTS, (run,)):
            self._keys[site].append(at)
            self._held[site].append(tuple(rest))

    def before(self, site: int, at: int) -> tuple[int | None, int | None, int | None]:
        """Return position, grant and dataset."""
        index = bisect_left(self._keys[site], at) - 1
        return self._held[site][index] if index >= 0 else (None, None, None)


def _steps(
    heads: list[Any], updates: list[Any], consents: _Consents, initial: bytes, final: bool
) -> tuple[LineageStep, ...]:
    by_round: defaultdict[int, list[Any]] = defaultdict(list)
    for update in updates:
        by_round[update[0]].append(update)
    steps = []
    for place, head in enumerate(heads):
        number, attempt, proposal, site, state, record, locator, packed, block, time, tx = head
        previous = heads[place + 1][4] if place + 1 < len(heads) else initial
        steps.append(
            LineageStep(
                RoundNumber(number), attempt, proposal, final or place > 0, _commitment(state),
                _commitment(previous), _commitment(record), _locator(locator), SiteId(site),
                _updates(by_round[number], packed, consents), block, time, _digest(tx),
            )
        )  # fmt: skip
    return tuple(steps)


def _updates(updates: list[Any], packed: bytes, consents: _Consents) -> tuple[LineageUpdate, ...]:
    under = {update[1]: consents.before(update[1], update[5]) for update in updates}
    positions = {site: held[0] for site, held in under.items() if held[0] is not None}
    verdicts = verdicts_of(packed, positions)
    made = []
    for update in sorted(updates, key=lambda each: each[1]):
        _, site, weight, commitment, locator, _, _, batcher = update
        _, grant, dataset = under[site]
        made.append(
            LineageUpdate(
                SiteId(site), weight, _commitment(commitment),
                None if locator is None else _locator(locator),
                verdicts.get(site, "unreadable"),
                None if grant is None else GrantId(grant),
                None if dataset is None else DatasetId(dataset),
                batcher=None if batcher is None else SiteId(batcher),
            )
        )  # fmt: skip
    return tuple(made)
