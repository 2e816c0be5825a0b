"""Fetch and serve on what the ledger names: plans, texts, models, updates, sheets, records.

A hub that mirrors lets sites behind closed firewalls, which only dial out,
exchange bytes. Every byte is verified and bounded before it is kept.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from fednet.cli import output, queries
from fednet.cli.app import App
from fednet.domain import events as ev
from fednet.domain.batches import BatchedUpdate, read_sheet, sheet_size_bytes
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, Locator, RunId
from fednet.domain.ledger import Head
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.tensors import MAX_HEADER_SIZE_BYTES
from fednet.errors import FednetError, MalformedBlobError

_THREADS = 4
_TIMEOUT_SECONDS = 20.0
_MAX_TEXT_BYTES = 1 << 16


@dataclass(slots=True)
class _Wanted:
    """What is known to be wanted, and what is kept already."""

    caps: dict[tuple[Commitment, Locator], int] = field(default_factory=dict)
    kept: set[tuple[Commitment, Locator]] = field(default_factory=set)
    working: dict[tuple[Commitment, Locator], Future[None]] = field(default_factory=dict)


def mirror(app: App, reader: LedgerReader, store: BlobStore, stop: threading.Event) -> None:
    """Keep what the ledger names until told to stop."""
    poll_seconds = app.settings().node.poll_seconds
    wanted = _Wanted()
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mirror")
    seen: tuple[Head | None, int] = (None, 0)
    try:
        while not stop.wait(poll_seconds):
            try:
                # What was just kept (a plan, a record) may name more.
                now = (reader.head(), len(wanted.kept))
                if now != seen:
                    _note(reader, store, wanted)
                    seen = now
            except FednetError as exc:
                output.say(f"waiting: {exc}")
            _work(store, wanted, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _note(reader: LedgerReader, store: BlobStore, wanted: _Wanted) -> None:
    for event in queries.events_of(reader, ev.AccessRequested):
        wanted.caps[event.purpose, event.purpose_locator] = _MAX_TEXT_BYTES
    for grant in queries.events_of(reader, ev.AccessGranted):
        wanted.caps[grant.terms, grant.terms_locator] = _MAX_TEXT_BYTES
    for opened in queries.events_of(reader, ev.RunOpened):
        wanted.caps[opened.plan, opened.plan_locator] = MAX_PLAN_SIZE_BYTES
        if (opened.plan, opened.plan_locator) in wanted.kept:
            _note_run(reader, store, wanted, opened)


def _note_run(
    reader: LedgerReader, store: BlobStore, wanted: _Wanted, opened: ev.RunOpened
) -> None:
    path = store.fetch(opened.plan, [opened.plan_locator], MAX_PLAN_SIZE_BYTES, _TIMEOUT_SECONDS)
    plan = Plan.from_bytes(path.read_bytes())
    size = plan.stored_size_bytes(plan.model.size_bytes)
    wanted.caps[opened.initial_model, opened.initial_model_locator] = plan.model.size_bytes
    history = queries.history_of(reader, RunId(opened.run))
    for entry in history.rounds.values():
        for attempt in entry.attempts.values():
            for update in attempt.submissions.values():
                at = _place_of(store, wanted, update)
                if at is not None:
                    # An update is the model's data with another header.
                    wanted.caps[update.commitment, at] = size + MAX_HEADER_SIZE_BYTES
            for proposal in attempt.proposals.values():
                _note_record(store, wanted, proposal.proposed, size)


def _place_of(store: BlobStore, wanted: _Wanted, update: ev.UpdateSubmitted) -> Locator | None:
    """Tell where an update is; of a row of a batch only the sheet knows, which is kept first."""
    if not isinstance(update, BatchedUpdate):
        return update.locator
    key, cap = (update.sheet, update.sheet_locator), sheet_size_bytes(update.rows)
    wanted.caps[key] = cap
    if key not in wanted.kept:
        return None
    sheet = store.fetch(key[0], [key[1]], cap, _TIMEOUT_SECONDS).read_bytes()
    try:
        return read_sheet(sheet, update.rows, f"sheet {key[0]}")[update.row].locator
    except MalformedBlobError:
        return None


def _note_record(store: BlobStore, wanted: _Wanted, proposed: ev.RoundProposed, size: int) -> None:
    key = (proposed.record, proposed.record_locator)
    wanted.caps[key] = MAX_RECORD_SIZE_BYTES
    if key not in wanted.kept:
        return
    path = store.fetch(key[0], [key[1]], MAX_RECORD_SIZE_BYTES, _TIMEOUT_SECONDS)
    record = RoundRecord.from_bytes(path.read_bytes(), "record")
    wanted.caps[Commitment(record.state), Locator(record.state_locator)] = size


def _work(store: BlobStore, wanted: _Wanted, pool: ThreadPoolExecutor) -> None:
    for key, future in list(wanted.working.items()):
        if future.done():
            del wanted.working[key]
            if future.exception() is None:
                wanted.kept.add(key)
    for key, cap in wanted.caps.items():
        if key not in wanted.kept and key not in wanted.working:
            wanted.working[key] = pool.submit(_keep, store, key, cap)


def _keep(store: BlobStore, key: tuple[Commitment, Locator], cap: int) -> None:
    store.fetch(key[0], [key[1]], cap, _TIMEOUT_SECONDS)
    store.pin(key[1])
