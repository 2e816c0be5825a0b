"""Gather a run's dossier from the ledger and the store; needs no key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fednet.audit import AuditReport
from fednet.audit.snapshot import Snapshot, take_snapshot
from fednet.domain import events as ev
from fednet.domain.blobs import BlobStore
from fednet.domain.disclosure_events import DISCLOSURES
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, GrantId, Locator, RoundNumber, RunId
from fednet.domain.ledger import Head
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import BlobMissingError, PlanError, VerificationError
from fednet.exports.dossier import GrantFile, RunDossier
from fednet.exports.safes import safes_of, said_by_safes

DEFAULT_FETCH_SECONDS = 30.0
_MORE_KINDS: tuple[type[ev.LedgerEvent], ...] = (ev.AccessDenied, ev.SiteKeyRotated)


class Gatherer:
    """Read what belongs to one run.

    Args:
        reader: The ledger.
        store: Where plan and records come from.
        fetch_seconds: How long to look for one blob.
    """

    def __init__(
        self,
        reader: LedgerReader,
        store: BlobStore,
        fetch_seconds: float = DEFAULT_FETCH_SECONDS,
    ) -> None:
        self._reader = reader
        self._store = store
        self._fetch_seconds = fetch_seconds

    def gather(self, run: RunId, report: AuditReport | None) -> RunDossier:
        """Gather the dossier; what cannot be had of the blobs is left out.

        Raises:
            LedgerError: The ledger cannot be read, or knows no such run.
            StoreUnavailableError: The store does not answer.
        """
        snapshot = take_snapshot(self._reader, run)
        history = fold(run, snapshot.run_events)
        more = self._reader.events(_MORE_KINDS, self._reader.deployment.block)
        grants = _grants(history, (*snapshot.events, *more))
        wanted = {entry.requested.dataset for entry in grants.values()}
        sites = set(history.roster.values())
        chosen = [event for event in snapshot.events if isinstance(event, ev.SiteApplied)]
        claims = [event for event in snapshot.events if isinstance(event, ev.CreditsClaimed)]
        dossier = RunDossier(
            deployment=snapshot.deployment,
            head=snapshot.head,
            run=snapshot.run,
            opened=snapshot.opened,
            phase=snapshot.state.phase,
            history=history,
            plan=self._plan(snapshot),
            records={},
            applied={event.site: event for event in chosen if event.site in sites},
            operators=_operators(snapshot),
            datasets={
                event.dataset: event
                for event in snapshot.events
                if isinstance(event, ev.DatasetRegistered) and event.dataset in wanted
            },
            grants=grants,
            claims=tuple(event for event in claims if event.run == run),
            times={},
            report=report,
            disclosures=tuple(each for each in snapshot.disclosed() if snapshot.concerns(each)),
        )
        beside = (each for each in (*snapshot.events, *more) if _is_of(snapshot, grants, each))
        events = [each for each in (*snapshot.run_events, *beside) if said_by_safes(each)]
        heads = self._heads(dossier, events)
        return replace(
            dossier,
            records=self._records(dossier, snapshot),
            times={number: head.timestamp for number, head in heads.items()},
            safes=safes_of(run, dossier.plan, dossier.deployment, events, heads),
        )

    def model(self, dossier: RunDossier, number: RoundNumber) -> Path:
        """Fetch the global model of a final round; the file belongs to the store's cache.

        Raises:
            BlobMissingError: Nobody serves it, or nobody serves the record that says where it is.
            DigestMismatchError: What is served is something else.
        """
        record = dossier.records.get(number)
        if record is None:
            raise BlobMissingError(
                "the round's record cannot be had, which says where its model is",
                subject=f"run {dossier.run.run}, round {number}",
                hint="ask the members to run their nodes",
            )
        state = next(e.proposed.state for e in dossier.final_rounds if e.number == number)
        locators = [Locator(record.state_locator), *self._reader.announced(state)]
        return self._store.fetch(state, locators, record.state_size_bytes, self._fetch_seconds)

    def _plan(self, snapshot: Snapshot) -> Plan | None:
        opened = snapshot.opened
        locators = [opened.plan_locator, *snapshot.announced().get(opened.plan, ())]
        data = self._fetch(opened.plan, locators, MAX_PLAN_SIZE_BYTES)
        try:
            return None if data is None else Plan.from_bytes(data)
        except PlanError:
            return None

    def _records(self, dossier: RunDossier, snapshot: Snapshot) -> dict[RoundNumber, RoundRecord]:
        found = {}
        announced = snapshot.announced()
        for entry in dossier.final_rounds:
            said = entry.proposed
            locators = [said.record_locator, *announced.get(said.record, ())]
            data = self._fetch(said.record, locators, MAX_RECORD_SIZE_BYTES)
            if data is None:
                continue
            try:
                found[entry.number] = RoundRecord.from_bytes(data, f"record {entry.number}")
            except VerificationError:
                continue
        return found

    def _fetch(self, commitment: Commitment, locators: Sequence[Locator], cap: int) -> bytes | None:
        try:
            path = self._store.fetch(commitment, locators, cap, self._fetch_seconds)
        except (BlobMissingError, VerificationError):
            return None
        return path.read_bytes()

    def _heads(self, dossier: RunDossier, more: Sequence[ev.LedgerEvent]) -> dict[int, Head]:
        events: list[ev.LedgerEvent] = [dossier.opened, *dossier.history.events, *dossier.claims]
        events += more
        events += [*dossier.applied.values(), *dossier.datasets.values(), *dossier.disclosures]
        for entry in dossier.grants.values():
            events += [e for e in (entry.requested, entry.granted, entry.ended) if e is not None]
        blocks = sorted({event.log.block for event in events})
        return {head.number: head for head in self._reader.blocks(blocks)}


def fold(run: RunId, events: Sequence[ev.RunEvent]) -> RunHistory:
    """Fold a run's events as far as they make sense; an audit tells where they do not."""
    history = RunHistory(run)
    for event in events:
        try:
            history.extend([event])
        except KeyError:
            break
    return history


def _is_of(snapshot: Snapshot, grants: Mapping[GrantId, GrantFile], event: ev.LedgerEvent) -> bool:
    """Tell whether a record that is no rounds module's speaks of the run, or of its sites."""
    match event:
        case ev.AccountRolesChanged() | ev.ModuleApproved() | ev.ModuleWithdrawn():
            return True
        case ev.AccessRequested():
            return event.grant in grants
        case ev.RunOpened():
            return event.run == snapshot.run_id
        case _ if isinstance(event, DISCLOSURES):
            return snapshot.concerns(event)
        case _:
            return getattr(event, "site", None) in snapshot.sites


def _grants(history: RunHistory, events: Sequence[ev.LedgerEvent]) -> dict[GrantId, GrantFile]:
    named = {e.grant for e in history.events if isinstance(e, ev.ConsentGiven)}
    found: dict[GrantId, GrantFile] = {}
    for event in sorted(events, key=lambda each: each.log):
        match event:
            case ev.AccessRequested() if event.grant in named:
                found[event.grant] = GrantFile(event)
            case ev.AccessGranted() if event.grant in found:
                found[event.grant] = GrantFile(found[event.grant].requested, event)
            case ev.AccessDenied() | ev.AccessRevoked() if event.grant in found:
                known = found[event.grant]
                found[event.grant] = GrantFile(known.requested, known.granted, event)
            case _:
                pass
    return found


def _operators(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                str(event.operator)
                for event in snapshot.events
                if isinstance(event, ev.SiteAdmitted | ev.ModuleApproved)
            }
        )
    )
