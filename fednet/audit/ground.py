"""Checks 1 to 6: what a run stands on, before any of its rounds is recomputed."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.audit.checks import (
    CONSENTS,
    DEPLOYMENT,
    INITIAL_MODEL,
    PLAN,
    RUNNING_HASH,
    STATE,
)
from fednet.audit.evidence import Evidence, report_blob
from fednet.audit.findings import Findings
from fednet.audit.snapshot import Snapshot
from fednet.codec import check_initial_state
from fednet.domain import events as ev
from fednet.domain.blobs import BlobFile
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.running_hash import running_hash_of
from fednet.errors import MalformedBlobError, PlanError, ShapeMismatchError, VerificationError

RESEARCHER = "the run's researcher"


@dataclass(frozen=True, slots=True)
class Ground:
    """What every round of a run builds on."""

    plan: Plan
    initial_model: BlobFile | None
    """Verified file of the initial model; None if it cannot be had or is no state."""


def check_ledger(snapshot: Snapshot, findings: Findings) -> RunHistory | None:
    """Do checks 1 to 3 and fold the events; None if they do not fold."""
    _check_module(snapshot, findings)
    findings.require_equal(
        RUNNING_HASH,
        "log-incomplete",
        f"run {snapshot.run_id}",
        "the events do not fold to the hash that the contract stores",
        snapshot.running_hash,
        running_hash_of(event.log for event in snapshot.run_events),
    )
    findings.require_equal(
        RUNNING_HASH,
        "masking-incomplete",
        "ledger of masked rounds",
        "the records do not fold to the hash that the contract stores",
        snapshot.masking.running_hash,
        running_hash_of(record.log for record in snapshot.masked()),
    )
    try:
        history = RunHistory.of(snapshot.run_id, snapshot.run_events)
    except KeyError:
        findings.add(
            STATE,
            "log-impossible",
            f"run {snapshot.run_id}",
            "an event speaks of an attempt or a proposal that never began",
        )
        return None
    _check_state(snapshot, history, findings)
    return history


def check_plan(snapshot: Snapshot, evidence: Evidence, findings: Findings) -> Ground | None:
    """Do checks 4 and 5; None without a plan, which nothing can be checked against."""
    opened, subject = snapshot.opened, f"plan of run {snapshot.run_id}"
    for name, held, said in (
        ("plan", snapshot.run.plan, opened.plan),
        ("initial model", snapshot.run.initial_model, opened.initial_model),
        ("module", snapshot.run.module, opened.module),
        ("researcher", snapshot.run.researcher, opened.researcher),
    ):
        findings.require_equal(
            PLAN, "opening-differs", subject, f"{name}: event and contract disagree", said, held
        )
    blob = evidence.get(snapshot.run.plan, opened.plan_locator, MAX_PLAN_SIZE_BYTES)
    if not report_blob(findings, blob, subject, RESEARCHER):
        return None
    assert blob.path is not None
    try:
        plan = Plan.from_bytes(blob.path.read_bytes(), subject)
    except PlanError as exc:
        findings.add(PLAN, "plan-malformed", subject, str(exc))
        return None
    _check_agreed(snapshot, plan, findings)
    return Ground(plan, _check_initial_model(snapshot, plan, evidence, findings))


def check_consents(snapshot: Snapshot, plan: Plan, findings: Findings) -> None:
    """Do check 6: every consent stands on a grant of the right kind, given before."""
    events = snapshot.events
    requested = {entry.grant: entry for entry in events if isinstance(entry, ev.AccessRequested)}
    granted = {entry.grant: entry for entry in events if isinstance(entry, ev.AccessGranted)}
    revoked = {entry.grant: entry for entry in events if isinstance(entry, ev.AccessRevoked)}
    datasets = {entry.dataset: entry for entry in events if isinstance(entry, ev.DatasetRegistered)}
    for consent in snapshot.run_events:
        if not isinstance(consent, ev.ConsentGiven):
            continue
        subject = f"consent of site {consent.site} to run {snapshot.run_id}"
        request, grant = requested.get(consent.grant), granted.get(consent.grant)
        if request is None or grant is None or grant.log > consent.log:
            findings.add(
                CONSENTS,
                "consent-without-grant",
                subject,
                "no such grant had been given",
                actual=f"grant {consent.grant}",
            )
            continue
        end = revoked.get(consent.grant)
        if end is not None and end.log < consent.log:
            findings.add(CONSENTS, "consent-after-revocation", subject, "the grant was revoked")
        dataset = datasets.get(request.dataset)
        holder = dataset.site if dataset else SiteId(0)
        examples = dataset.examples if dataset else 0
        for name, expected, actual in (
            ("researcher", snapshot.run.researcher, request.researcher),
            ("site of the dataset", consent.site, holder),
            ("expiry", grant.expiry, consent.expiry),
            (
                "bound on examples",
                min(examples, plan.update.maximum_examples),
                consent.maximum_examples,
            ),
        ):
            findings.require_equal(
                CONSENTS, "consent-differs", subject, f"{name} is not the grant's", expected, actual
            )


def _check_module(snapshot: Snapshot, findings: Findings) -> None:
    module, approved = snapshot.run.module, False
    for event in snapshot.events:
        if event.log > snapshot.opened.log:
            break
        if isinstance(event, ev.ModuleApproved) and event.module == module:
            approved = True
        if isinstance(event, ev.ModuleWithdrawn) and event.module == module:
            approved = False
    if not approved:
        findings.add(
            DEPLOYMENT,
            "module-not-approved",
            f"run {snapshot.run_id}",
            "no operator had approved the rounds module when the run was opened",
            actual=module,
        )


def _check_state(snapshot: Snapshot, history: RunHistory, findings: Findings) -> None:
    state, subject = snapshot.state, f"run {snapshot.run_id}"
    granted = 0
    for entry in history.rounds.values():
        final = entry.final_proposal
        granted = max(granted, final.proposed.credits_total) if final else granted
    for name, expected, actual in (
        ("final rounds", history.final_rounds, state.final_rounds),
        ("round", max(history.rounds, default=0), state.round),
        ("granted credits", granted, state.credits_granted),
        ("consenting sites", len(history.consents) - len(history.ended), state.consenting),
        ("completion", history.completed is not None, state.phase is Phase.COMPLETED),
        ("abort", history.aborted is not None, state.phase is Phase.ABORTED),
    ):
        findings.require_equal(
            STATE,
            "state-differs",
            subject,
            f"{name}: events and contract disagree",
            expected,
            actual,
        )


def _check_agreed(snapshot: Snapshot, plan: Plan, findings: Findings) -> None:
    subject = f"plan of run {snapshot.run_id}"
    # A module that the deployment does not name was approved later; its kind is not known here.
    named = snapshot.deployment.modules.name_of(snapshot.run.module) or plan.module.name
    drawn = plan.module.drawn_sites if snapshot.drawn_sites is None else snapshot.drawn_sites
    times = plan.masking_times if snapshot.masking_times is None else snapshot.masking_times
    for name, expected, actual in (
        ("module", plan.module.name, named),
        ("number of drawn sites", plan.module.drawn_sites, drawn),
        ("seconds of the masks", plan.masking_times, times),
        ("parameters", plan.parameters(), snapshot.parameters),
        ("initial model", Commitment(plan.model.commitment), snapshot.run.initial_model),
        ("transferable", plan.credits.transferable, snapshot.opened.transferable),
        ("transferable", plan.credits.transferable, snapshot.credit_total[1]),
    ):
        findings.require_equal(
            PLAN,
            "plan-differs",
            subject,
            f"{name} on the ledger is not the plan's",
            expected,
            actual,
        )


def _check_initial_model(
    snapshot: Snapshot, plan: Plan, evidence: Evidence, findings: Findings
) -> BlobFile | None:
    subject = f"initial model of run {snapshot.run_id}"
    blob = evidence.get(
        snapshot.run.initial_model, snapshot.opened.initial_model_locator, plan.model.size_bytes
    )
    if not report_blob(findings, blob, subject, RESEARCHER):
        return None
    assert blob.path is not None
    try:
        check_initial_state(blob.path, plan, subject)
    except (MalformedBlobError, PlanError, ShapeMismatchError, VerificationError) as exc:
        findings.add(INITIAL_MODEL, "initial-model-unfit", subject, str(exc))
        return None
    return blob.path
