"""Audit a whole run from the ledger and the blobs, with no key.

An audit raises only when it cannot look: an unknown run, a ledger or a store
that does not answer. Everything else is a finding. It proves what was combined
and recorded; not that the training was real or the data good.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from fednet.aggregation.rule import DEFAULT_THREADS
from fednet.audit.accusing import withhold_accusations
from fednet.audit.attempts import Tools
from fednet.audit.checks import FINALITY
from fednet.audit.claims import check_claims
from fednet.audit.cohorts import walk_cohorts
from fednet.audit.evidence import Evidence
from fednet.audit.findings import Findings, Severity
from fednet.audit.ground import Ground, check_consents, check_ledger, check_plan
from fednet.audit.recomputation import PreviousRound
from fednet.audit.report import AuditReport, RoundResult, RoundVerdict
from fednet.audit.rounds import RoundsAudit
from fednet.audit.snapshot import Snapshot, take_snapshot
from fednet.domain.blobs import BlobStore
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.ports import LedgerReader

DEFAULT_FETCH_SECONDS = 30.0

Progress = Callable[[int, int], None]
"""Told how many rounds are done, and of how many."""


def audit_run(
    reader: LedgerReader,
    store: BlobStore,
    run: RunId,
    *,
    work_dir: Path | None = None,
    fetch_seconds: float = DEFAULT_FETCH_SECONDS,
    threads: int = DEFAULT_THREADS,
    progress: Progress | None = None,
) -> AuditReport:
    """Ask every question of ``fednet.audit.checks`` about a run.

    Args:
        reader: The ledger; it has compared the chain with the deployment.
        store: Where blobs come from; its cache is used and left alone.
        run: Run to audit, finished or not.
        work_dir: Existing folder for recomputed states while the audit lasts.
        fetch_seconds: How long to look for one blob.
        threads: Threads that combine updates.
        progress: Called after each round.

    Raises:
        LedgerError: The ledger cannot be read, or knows no such run.
        StoreUnavailableError: The store does not answer.
        SettingsError: This machine has no room for a state.
    """
    findings = Findings()
    snapshot = take_snapshot(reader, run)
    rounds: list[RoundResult] = []
    history = check_ledger(snapshot, findings)
    with (
        Evidence(store, snapshot.announced(), fetch_seconds) as evidence,
        TemporaryDirectory(prefix="audit-", dir=work_dir) as name,
    ):
        ground = check_plan(snapshot, evidence, findings)
        if history is not None and ground is not None:
            tools = Tools(
                evidence=evidence,
                locate=store.locate,
                work_dir=Path(name),
                findings=findings,
                threads=threads,
                credits_contract=snapshot.deployment.credits,
            )
            rounds = _audit_rounds(snapshot, history, ground, tools, progress)
    if not any(result.verdict is not RoundVerdict.OPEN for result in rounds):
        # An audit that looked at nothing must not pass for one that found nothing.
        findings.add(
            FINALITY,
            "nothing-to-verify",
            f"run {run}",
            "no final round could be looked at",
            severity=Severity.MISSING,
        )
    withhold_accusations(findings)
    return AuditReport(
        run=run,
        chain_id=snapshot.deployment.chain_id,
        contract=snapshot.run.module,
        head=snapshot.head,
        phase=snapshot.state.phase,
        plan=snapshot.run.plan,
        rounds=tuple(rounds),
        findings=tuple(findings.entries),
    )


def _audit_rounds(
    snapshot: Snapshot,
    history: RunHistory,
    ground: Ground,
    tools: Tools,
    progress: Progress | None,
) -> list[RoundResult]:
    plan, findings = ground.plan, tools.findings
    check_consents(snapshot, plan, findings)
    audit = RoundsAudit(
        tools=tools,
        plan=plan,
        chain_id=snapshot.deployment.chain_id,
        contract=snapshot.run.module,
        run=snapshot.run_id,
        cohorts=walk_cohorts(snapshot.run_events, plan, findings),
        settlements=snapshot.settlements,
    )
    previous = None
    if ground.initial_model is not None:
        previous = PreviousRound(
            snapshot.run.plan, snapshot.run.initial_model, ground.initial_model, {}
        )
    results = []
    numbers = sorted(history.rounds)
    for done, number in enumerate(numbers):
        for coming in numbers[done : done + 2]:
            audit.prefetch(history.rounds[RoundNumber(coming)])
        result, previous = audit.audit_round(number, history.rounds[number], previous)
        results.append(result)
        if progress is not None:
            progress(done + 1, len(numbers))
    check_claims(snapshot, audit.earned, findings)
    return results
