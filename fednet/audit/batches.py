"""What batches stand for, by their sheets: whose rows they are, and who forged one.

A row that its site did not sign is the batcher's lie alone. A site that changed
its account while a batch was under way has signed all the same: whoever used to
be its account is not a forger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fednet.audit.checks import SUBMISSIONS
from fednet.audit.cohorts import Key
from fednet.audit.evidence import Blob, Evidence
from fednet.audit.findings import Findings
from fednet.audit.membership import Register
from fednet.audit.sheets import Arrival, RowVerdict, SignerOf, judge_rows, update_of
from fednet.audit.snapshot import Snapshot
from fednet.codec import Reason
from fednet.domain import events as ev
from fednet.domain.batch_signing import Module
from fednet.domain.batches import BatchedUpdate, read_sheet, sheet_size_bytes, unfold
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Locator, SiteId
from fednet.domain.ledger import Role
from fednet.errors import MalformedBlobError

_Batch = list[BatchedUpdate]


def fetch_sheet(evidence: Evidence, row: BatchedUpdate) -> Blob:
    """Get the sheet of a row's batch."""
    return evidence.get(row.sheet, row.sheet_locator, sheet_size_bytes(row.rows))


def check_batches(
    snapshot: Snapshot,
    history: RunHistory,
    evidence: Evidence,
    signer_of: SignerOf,
    findings: Findings,
) -> dict[Key, dict[SiteId, RowVerdict]]:
    """Judge every row whose sheet is served, and accuse whoever forged one.

    In the history the rows that count get the locators that their sheets tell.

    Returns:
        Verdicts by attempt and site; none for rows whose sheet is not served.
    """
    batches: dict[ev.Log, _Batch] = {}
    for event in unfold(snapshot.run_events):
        if isinstance(event, BatchedUpdate):
            batches.setdefault(event.log, []).append(event)
            evidence.want(event.sheet, event.sheet_locator, sheet_size_bytes(event.rows))
    module = Module(snapshot.deployment.chain_id, snapshot.run.module)
    found: dict[Key, dict[SiteId, RowVerdict]] = {}
    for log, rows in batches.items():
        blob = fetch_sheet(evidence, rows[0])
        if blob.path is None:
            continue
        sheet, register = blob.path.read_bytes(), _register_before(snapshot, log)
        arrival = Arrival(snapshot.blocks[log.block].timestamp, register.accounts(Role.SITE))
        verdicts = judge_rows(rows, sheet, module, arrival, signer_of)
        _accuse_forger(snapshot, rows, sheet, module, verdicts, signer_of, findings)
        _note(history, rows, verdicts, found)
    return found


def _note(
    history: RunHistory,
    rows: _Batch,
    verdicts: Mapping[SiteId, RowVerdict],
    found: dict[Key, dict[SiteId, RowVerdict]],
) -> None:
    """Keep what concerns rows that no submission of the site's own took the place of."""
    for row in rows:
        submissions = history.rounds[row.round].attempts[row.attempt].submissions
        verdict = verdicts[row.site]
        if submissions.get(row.site) != row:
            continue
        found.setdefault((row.round, row.attempt), {})[row.site] = verdict
        if isinstance(verdict, Locator):
            submissions[row.site] = replace(row, locator=verdict)


def _accuse_forger(
    snapshot: Snapshot,
    rows: _Batch,
    sheet: bytes,
    module: Module,
    verdicts: Mapping[SiteId, RowVerdict],
    signer_of: SignerOf,
    findings: Findings,
) -> None:
    unsigned = [row for row in rows if verdicts[row.site] is Reason.UNSIGNED]
    for row in unsigned:
        signer, signature = _signer(row, sheet, module, signer_of)
        if signer is not None and signer in _accounts_ever(snapshot, row):
            continue
        findings.add(
            SUBMISSIONS,
            "row-forged",
            f"row of site {row.site} in a batch of round {row.round}, attempt {row.attempt}",
            "handed in without the site's signature",
            round_number=row.round,
            accused=row.batcher,
            expected=f"a signature of site {row.site}",
            actual=signer or "no signature",
            evidence=signature.hex(),
        )


def _signer(
    row: BatchedUpdate, sheet: bytes, module: Module, signer_of: SignerOf
) -> tuple[Address | None, bytes]:
    try:
        entry = read_sheet(sheet, row.rows, "sheet")[row.row]
    except MalformedBlobError:
        return None, b""
    return signer_of(module.digest(update_of(row, entry.locator)), entry.signature), entry.signature


def _accounts_ever(snapshot: Snapshot, row: BatchedUpdate) -> set[Address]:
    """List the accounts that a site had up to a batch."""
    return {
        event.account
        for event in snapshot.events
        if isinstance(event, ev.SiteApplied | ev.SiteAccountRotated)
        and event.site == row.site
        and event.log <= row.log
    }


def _register_before(snapshot: Snapshot, log: ev.Log) -> Register:
    register = Register()
    for event in snapshot.events:
        if (event.log.block, event.log.index) < (log.block, log.index):
            register.take(event)
    return register
