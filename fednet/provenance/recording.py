"""Turn events into rows, put them in, and take back those of blocks that are gone."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.batches import BatchedUpdate, CarriedAttestation
from fednet.domain.identity import Digest
from fednet.domain.ledger import AccessStatus, Head, Standing
from fednet.errors import LedgerError
from fednet.provenance.batches import Batches, restore
from fednet.provenance.mask_rows import MaskAct
from fednet.provenance.rows import IndexedBlock
from fednet.provenance.schema import INDEX_BITS, MAX_BLOCK, TABLES, first_of

BATCH = 20_000
"""Events written in one transaction."""
_MAX_INTEGER = (1 << 63) - 1
_MAX_TEXT = 4_096
_ABOUT = (
    ("run",),
    ("round", "round_number"),
    ("site", "from_site"),
    ("dataset",),
    ("grant",),
    ("account", "researcher", "operator"),
)

KINDS: tuple[type[ev.LedgerEvent], ...] = (
    ev.RunEvent, ev.SiteApplied, ev.SiteAdmitted, ev.SiteStandingChanged, ev.SiteAccountRotated,
    ev.SiteKeyRotated, ev.SiteStoreMoved, ev.AccountRolesChanged, ev.DatasetRegistered,
    ev.DatasetClosed, ev.AccessRequested, ev.AccessGranted, ev.AccessDenied, ev.AccessRevoked,
    ev.ModuleApproved, ev.ModuleWithdrawn, ev.RunOpened, ev.LocatorAnnounced, ev.ConsentGiven,
    ev.ConsentEnded, ev.AttemptStarted, ev.UpdateSubmitted, ev.SubmissionsClosed,
    ev.RoundProposed, ev.RoundAttested, ev.RoundObjected, ev.ProposalEnded, ev.RoundFinalized,
    ev.RunConcluding, ev.RunCompleted, ev.RunAborted, ev.CreditsClaimed, ev.CreditsTransferred,
    UpdatesBatched, CommitteeDrawn, AttestationsBatched, ev.SampleDrawn, *de.DISCLOSURES,
    *me.MASKING_EVENTS,
)  # fmt: skip
"""Every class of events; its number is its place. A plain RunEvent is of an unknown module."""
KIND_NAMES = tuple(kind.__name__ for kind in KINDS)


@dataclass(frozen=True, slots=True)
class _Target:
    """A table that an event goes into: columns from fields, and fixed values after them."""

    table: str
    columns: str
    """Separated by blanks; a field of another name stands after a colon."""
    fixed: tuple[object, ...] = ()


_PLACE = "run round attempt"
_TARGETS: dict[type[ev.LedgerEvent], tuple[_Target, ...]] = {
    ev.SiteApplied: (
        _Target("applications", "site name metadata"),
        _Target("memberships", "site standing roles", (Standing.APPLIED, None)),
        _Target("accounts", "site account"),
        _Target("site_keys", "site encryption_key"),
        _Target("stores", "site store_address"),
    ),
    ev.SiteAdmitted: (_Target("memberships", "site roles standing", (Standing.ACTIVE,)),),
    ev.SiteStandingChanged: (_Target("memberships", "site standing roles", (None,)),),
    ev.SiteAccountRotated: (_Target("accounts", "site account"),),
    ev.SiteKeyRotated: (_Target("site_keys", "site encryption_key"),),
    ev.SiteStoreMoved: (_Target("stores", "site store_address"),),
    ev.AccountRolesChanged: (_Target("account_roles", "site account roles"),),
    ev.DatasetRegistered: (_Target("datasets", "dataset site description data examples"),),
    ev.DatasetClosed: (_Target("dataset_closures", "dataset"),),
    ev.AccessRequested: (
        _Target("requests", "grant_id:grant dataset researcher purpose purpose_locator"),
    ),
    ev.AccessGranted: (
        _Target("decisions", "grant_id:grant dataset terms terms_locator expiry status",
                (AccessStatus.GRANTED,)),
    ),
    ev.AccessDenied: (
        _Target("decisions", "grant_id:grant dataset reason status", (AccessStatus.DENIED,)),
    ),
    ev.AccessRevoked: (
        _Target("decisions", "grant_id:grant dataset status", (AccessStatus.REVOKED,)),
    ),
    ev.ModuleApproved: (_Target("modules", "module approved", (1,)),),
    ev.ModuleWithdrawn: (_Target("modules", "module approved", (0,)),),
    ev.RunOpened: (
        _Target("runs", "run researcher module plan plan_locator initial_model "
                "initial_model_locator transferable parameters"),
    ),
    ev.LocatorAnnounced: (_Target("locators", "commitment site locator"),),
    ev.ConsentGiven: (
        _Target("consents", "run site grant_id:grant position maximum_examples expiry"),
    ),
    ev.ConsentEnded: (_Target("consent_ends", "run site grant_id:grant"),),
    ev.AttemptStarted: (_Target("attempts", f"{_PLACE} cohort roster_length quorum deadline"),),
    ev.UpdateSubmitted: (_Target("updates", f"{_PLACE} stage site commitment weight locator"),),
    BatchedUpdate: (_Target("updates", f"{_PLACE} stage site commitment weight batcher"),),
    ev.SubmissionsClosed: (_Target("closures", f"{_PLACE} submitted deadline"),),
    ev.RoundProposed: (
        _Target("proposals", f"{_PLACE} proposal site credits_total record record_locator state "
                "credits_root deadline inclusion"),
    ),
    ev.RoundAttested: (
        _Target("votes", f"{_PLACE} proposal site value:witness agrees", (1,)),
    ),
    CarriedAttestation: (
        _Target("votes", f"{_PLACE} proposal site value:witness agrees", (1,)),
    ),
    ev.RoundObjected: (
        _Target("votes", f"{_PLACE} proposal site value:expected agrees", (0,)),
    ),
    ev.ProposalEnded: (_Target("proposal_ends", f"{_PLACE} proposal deadline"),),
    ev.RoundFinalized: (_Target("finals", f"{_PLACE} proposal"),),
    ev.RunConcluding: (_Target("conclusions", "run round site"),),
    ev.RunCompleted: (_Target("run_ends", "run completed", (1,)),),
    ev.RunAborted: (_Target("run_ends", "run completed", (0,)),),
    ev.CreditsClaimed: (_Target("claims", "run round:round_number site amount claimed"),),
    ev.CreditsTransferred: (_Target("transfers", "run from_site to_site amount"),),
    de.ReleaseRequested: (_Target("release_requests", f"{_PLACE} site dataset request"),),
    de.ReleaseDecided: (_Target("release_decisions", f"{_PLACE} site dataset decision reason"),),
    de.CeilingSet: (
        _Target("ceilings", "dataset site epsilon:epsilon_micro delta:delta_pico grounds"),
    ),
    de.BudgetSpent: (
        _Target("spendings", "run round site dataset epsilon:epsilon_micro delta:delta_pico"),
    ),
    de.RetentionSet: (_Target("retentions", "dataset site seconds:retention_seconds"),),
    de.ReaderAdmitted: (
        _Target("readers", "reader run site account encryption_key:key letter letter_locator"),
    ),
    de.ReaderDismissed: (_Target("reader_ends", "reader run site"),),
    de.BlobsErased: (_Target("erasures", "run site dataset blobs erased:list grounds"),),
    me.KeysAdvertised: (
        _Target("mask_keys", f"{_PLACE} site mask_key channel_key"),
        _Target("mask_acts", f"{_PLACE} site act", (MaskAct.ADVERTISED,)),
    ),
    me.SharesDealt: (
        _Target("mask_shares", f"{_PLACE} site commitment locator disclosed", (0,)),
        _Target("mask_acts", f"{_PLACE} site act", (MaskAct.DEALT,)),
    ),
    me.SharesHeld: (_Target("mask_acts", f"{_PLACE} site act", (MaskAct.HELD,)),),
    me.SetProposed: (
        _Target("mask_acts", f"{_PLACE} site number inclusion act", (MaskAct.PROPOSED,)),
    ),
    me.SetAffirmed: (_Target("mask_acts", f"{_PLACE} site number act", (MaskAct.AFFIRMED,)),),
    me.SetFrozen: (_Target("mask_acts", f"{_PLACE} number act", (MaskAct.FROZEN,)),),
    me.SharesDisclosed: (
        _Target("mask_shares", f"{_PLACE} site commitment locator disclosed", (1,)),
        _Target("mask_acts", f"{_PLACE} site act", (MaskAct.DISCLOSED,)),
    ),
}  # fmt: skip


_Insert = tuple[str, Any, tuple[object, ...]]
_Rows = defaultdict[str, list[tuple[object, ...]]]


class _Form:
    """How one class of events becomes rows."""

    def __init__(self, number: int, kind: type[ev.LedgerEvent]) -> None:
        self.number = number
        known = {field.name for field in fields(kind)}
        about = [next((name for name in names if name in known), None) for names in _ABOUT]
        self.about = [(name is not None, name or "") for name in about]
        self.inserts = [_insert(target) for target in _TARGETS.get(kind, ())]


def _insert(target: _Target) -> _Insert:
    pairs = [column.partition(":") for column in target.columns.split()]
    taken = [field or column for column, _, field in pairs[: len(pairs) - len(target.fixed)]]
    names = ", ".join(column for column, _, _ in pairs)
    marks = ", ".join("?" for _ in pairs)
    statement = f"INSERT INTO {target.table} (at, {names}) VALUES (?, {marks})"
    # attrgetter of one name gives no tuple; the second is dropped again.
    getter = attrgetter("log.block", *taken)
    return statement, getter, tuple(target.fixed)


_FORMS = {kind: _Form(number, kind) for number, kind in enumerate(KINDS)}
_ENTRIES: dict[type[ev.RunEvent], list[_Insert]] = {
    kind: [_insert(target) for target in _TARGETS[kind]]
    for kind in (BatchedUpdate, CarriedAttestation)
}
_EVENTS = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BLOCKS = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)"


def record(db: sqlite3.Connection, blocks: Iterable[IndexedBlock]) -> int:
    """Write blocks in a transaction of the caller's; return how many events they had.

    Raises:
        LedgerError: Two events stand at one place, or a place cannot be.
    """
    rows: _Rows = defaultdict(list)
    count, last, batches = 0, None, Batches(db)
    for block in blocks:
        number = _within(block.head.number, MAX_BLOCK, "block number")
        last = block.head
        rows[_BLOCKS].append((number, last.block_hash, _fit(last.timestamp)))
        for event in block.events:
            if batches.concerns(event):
                _write(db, rows)
                batches.replace(event, _place(number, event))
            _take(rows, number, event)
            for entry in batches.entries(event):
                _add(rows, _ENTRIES[type(entry)], _place(number, entry), entry)
            count += 1
    _write(db, rows)
    if last is not None:
        note_head(db, last)
    return count


def _write(db: sqlite3.Connection, rows: _Rows) -> None:
    try:
        for statement, each in rows.items():
            db.executemany(statement, each)
    except sqlite3.IntegrityError as exc:
        raise LedgerError("the chain gives two events at one place") from exc
    rows.clear()


def _place(number: int, event: ev.LedgerEvent) -> int:
    return number << INDEX_BITS | _within(event.log.index, (1 << INDEX_BITS) - 1, "log index")


def _take(rows: _Rows, number: int, event: ev.LedgerEvent) -> None:
    form = _FORMS.get(type(event)) or _FORMS[ev.RunEvent]
    at = _place(number, event)
    about = [_fit(getattr(event, name)) if known else None for known, name in form.about]
    rows[_EVENTS].append((at, form.number, event.log.transaction, *about))
    _add(rows, form.inserts, at, event)


def _add(rows: _Rows, inserts: Iterable[_Insert], at: int, event: ev.LedgerEvent) -> None:
    for statement, getter, fixed in inserts:
        rows[statement].append((at, *map(_fit, getter(event)[1:]), *fixed))


def _fit(value: object) -> object:
    """Hold a stranger's number or text to what SQLite can keep."""
    kind = type(value)
    if kind is int:
        return min(value, _MAX_INTEGER)  # type: ignore[call-overload]
    if isinstance(value, str):
        return str(value)[:_MAX_TEXT].encode("utf-8", "replace").decode()
    return value


def _within(value: int, limit: int, what: str) -> int:
    if not 0 <= value <= limit:
        raise LedgerError(f"the chain gives an impossible {what}", actual=value)
    return value


def noted_head(db: sqlite3.Connection) -> Head | None:
    """Return the block up to which everything was read."""
    noted = dict(db.execute("SELECT key, value FROM meta WHERE key LIKE 'head%'"))
    if "head" not in noted:
        return None
    return Head(noted["head"], Digest(noted["head hash"]), noted["head time"])


def note_head(db: sqlite3.Connection, head: Head) -> None:
    """Keep up to which block everything was read."""
    values = (("head", head.number), ("head hash", bytes(head.block_hash)),
              ("head time", _fit(head.timestamp)))  # fmt: skip
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)


def take_back(db: sqlite3.Connection, block: int) -> int:
    """Remove a block and all after it; return how many events went."""
    first = first_of(min(block, MAX_BLOCK))
    counted = db.execute("SELECT COUNT(*) FROM events WHERE at >= ?", (first,))
    gone = int(counted.fetchone()[0])
    restore(db, first)
    for table in TABLES:
        db.execute(f"DELETE FROM {table} WHERE at >= ?", (first,))
    db.execute("DELETE FROM blocks WHERE number >= ?", (block,))
    db.execute("DELETE FROM meta WHERE key LIKE 'head%'")
    last = "SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT 1"
    for number, digest, time in db.execute(last).fetchall():
        note_head(db, Head(number, Digest(digest), time))
    return gone
