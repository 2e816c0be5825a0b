"""Audit a whole run from the ledger and the blobs, with no key.

An audit raises only when it cannot look: an unknown run, a ledger or a store
that does not answer. Everything else is a finding. It proves what was combined
and recorded; not that the training was real or the data good.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fednet.aggregation.rule import DEFAULT_THREADS
from fednet.audit.accusing import withhold_accusations
from fednet.audit.airlock import check_airlock
from fednet.audit.anchoring import Anchoring, check_checkpoints, check_operator
from fednet.audit.attempts import Tools
from fednet.audit.batches import check_batches
from fednet.audit.checks import FINALITY
from fednet.audit.claims import check_claims
from fednet.audit.cohorts import Cohort, Key, walk_cohorts
from fednet.audit.committees import check_committees
from fednet.audit.deadlines import check_deadlines
from fednet.audit.disclosures import check_disclosures
from fednet.audit.erasures import erased_updates
from fednet.audit.evidence import Evidence
from fednet.audit.findings import Findings, Severity
from fednet.audit.ground import Ground, check_consents, check_ledger, check_plan
from fednet.audit.inputs import PreviousRound
from fednet.audit.masked_acts import check_masked_acts
from fednet.audit.masked_times import check_masked_times
from fednet.audit.membership import check_membership
from fednet.audit.memory import AuditMemory, KeptRound, bind, now
from fednet.audit.own_work import OwnWork
from fednet.audit.promises import check_promises
from fednet.audit.proving import check_pins, check_proof
from fednet.audit.report import AuditReport, Recalled, RoundResult, RoundVerdict
from fednet.audit.rounds import RoundsAudit
from fednet.audit.sampling import check_samples
from fednet.audit.snapshot import Snapshot, take_snapshot
from fednet.domain import events as ev
from fednet.domain.blobs import BlobStore
from fednet.domain.checkpoint import (
    COMMITMENT_MARK,
    MAX_CHECKPOINT_SIZE_BYTES,
    SignedCheckpoint,
)
from fednet.domain.history import RoundHistory, RunHistory
from fednet.domain.identity import Address, Digest, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.proofs import LogProof
from fednet.errors import MalformedBlobError

if TYPE_CHECKING:
    from fednet.audit.encrypted_sums import SumsAudit
    from fednet.audit.masks import MasksAudit
    from fednet.audit.sealed import RunSeals
    from fednet.privacy.homomorphic import Decrypting
    from fednet.privacy.sealing import KeySource

DEFAULT_FETCH_SECONDS = 30.0
_MOST_ANNOUNCED = 8
"""Announced checkpoints that are fetched of each site: the latest."""

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
    checkpoints: Sequence[SignedCheckpoint] = (),
    trusted: Collection[Address] = (),
    memory: AuditMemory | None = None,
    pins: Mapping[int, Digest] | None = None,
    keys: KeySource | None = None,
    shared_key: Decrypting | None = None,
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
        checkpoints: What the chain is compared with, beside what members announced on it.
        trusted: Accounts whose checkpoints count though no site has them.
        memory: Rounds that this machine verified before; None looks at every round.
        pins: Hashes of blocks, by number, that the caller knows from elsewhere.
        keys: Open the blobs of a run that seals; without them its rounds are not replayed.
        shared_key: What the sites of a run with encrypted updates decrypt its sums with.

    Raises:
        LedgerError: The ledger cannot be read, or knows no such run.
        StoreUnavailableError: The store does not answer.
        SettingsError: This machine has no room for a state.
    """
    findings, proofs = Findings(), Findings()
    snapshot = take_snapshot(reader, run)
    rounds: list[RoundResult] = []
    recalled: list[Recalled] = []
    history = check_ledger(snapshot, findings)
    for check in (check_membership, check_disclosures, check_airlock):
        check(snapshot, findings)
    erased = erased_updates(snapshot, findings)
    with (
        Evidence(store, snapshot.announced(), fetch_seconds, erased) as evidence,
        TemporaryDirectory(prefix="audit-", dir=work_dir) as name,
        ThreadPoolExecutor(1, thread_name_prefix="proof") as beside,
    ):
        # Blocks are proven while blobs are on their way.
        proving = beside.submit(check_proof, reader, snapshot, proofs)
        ground = check_plan(snapshot, evidence, findings)
        if ground is not None:
            check_promises(snapshot, ground.plan, findings)
        if history is not None and ground is not None:
            tools = Tools(
                evidence=evidence,
                locate=store.locate,
                signer_of=reader.signer_of,
                work_dir=_made(Path(name) / "states"),
                findings=findings,
                threads=threads,
                credits_contract=snapshot.deployment.credits,
            )
            folder = Path(name) / "opened"
            tools, has_keys = _with_keys(snapshot, ground.plan, tools, folder, keys, shared_key)
            # What somebody verified with a key is not verified without one.
            memory = memory if has_keys else None
            rounds, recalled = _audit_rounds(snapshot, history, ground, tools, progress, memory)
        proof = proving.result()
        pinned = check_pins(reader, snapshot, proof, pins or {}, proofs)
        shown = [*checkpoints, *announced_checkpoints(snapshot, evidence)]
        anchoring = check_checkpoints(snapshot, history, reader, shown, findings, trusted, pinned)
    check_operator(snapshot, findings)
    _require_final(run, rounds, findings)
    findings.entries.extend(proofs.entries)
    withhold_accusations(findings)
    return _report(snapshot, rounds, recalled, findings, anchoring, proof)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _with_keys(
    snapshot: Snapshot,
    plan: Plan,
    tools: Tools,
    folder: Path,
    keys: KeySource | None,
    shared_key: Decrypting | None,
) -> tuple[Tools, bool]:
    """Give an audit what opens and decrypts; tell whether no key is missing to it."""
    if plan.privacy.sealed:
        return replace(tools, seals=_seals(snapshot, keys, folder)), keys is not None
    if plan.is_encrypted:
        sums = _sums(snapshot, plan, keys, shared_key, tools, folder)
        return replace(tools, sums=sums), keys is not None and shared_key is not None
    return tools, True


def _seals(snapshot: Snapshot, keys: KeySource | None, folder: Path) -> RunSeals:
    # Imported when a run seals: most do not, and cryptography takes its time.
    from fednet.audit.sealed import RunSeals
    from fednet.privacy.sealing import Keyring

    return RunSeals(lambda: snapshot.events, keys or Keyring({}), folder)


def _sums(
    snapshot: Snapshot,
    plan: Plan,
    keys: KeySource | None,
    shared_key: Decrypting | None,
    tools: Tools,
    folder: Path,
) -> SumsAudit:
    # Imported when a run encrypts: most do not.
    from fednet.audit.encrypted_sums import SumsAudit, check_apart
    from fednet.audit.sealed import RunSeals
    from fednet.audit.sum_claims import SumClaims
    from fednet.privacy.sealing import Keyring

    check_apart(snapshot, plan, tools.findings)
    section = plan.homomorphic
    claims = SumClaims(section.aggregator_sites, section.majority)
    claims.extend(snapshot.events)
    ring = keys or Keyring({})
    seals = RunSeals(lambda: snapshot.events, ring, folder, section.aggregator_sites)
    return SumsAudit(
        plan, claims, tools.evidence, tools.findings, seals, shared_key, tools.work_dir,
        tools.credits_contract, tools.threads,
    )  # fmt: skip


def _report(
    snapshot: Snapshot,
    rounds: Sequence[RoundResult],
    recalled: Sequence[Recalled],
    findings: Findings,
    anchoring: Anchoring,
    proof: LogProof,
) -> AuditReport:
    return AuditReport(
        run=snapshot.run_id,
        chain_id=snapshot.deployment.chain_id,
        contract=snapshot.run.module,
        head=snapshot.head,
        phase=snapshot.state.phase,
        plan=snapshot.run.plan,
        rounds=tuple(rounds),
        findings=tuple(findings.entries),
        anchored=anchoring.anchored,
        anchors=anchoring.anchors,
        recalled=tuple(recalled),
        proof=proof,
    )


def _require_final(run: RunId, rounds: Sequence[RoundResult], findings: Findings) -> None:
    """Keep an audit that looked at nothing from passing for one that found nothing."""
    if all(result.verdict is RoundVerdict.OPEN for result in rounds):
        findings.add(
            FINALITY,
            "nothing-to-verify",
            f"run {run}",
            "no final round could be looked at",
            severity=Severity.MISSING,
        )


def announced_checkpoints(snapshot: Snapshot, evidence: Evidence) -> list[SignedCheckpoint]:
    """Fetch what members announced under a checkpoint's mark; what is none is passed over."""
    by_site: dict[SiteId, list[ev.LocatorAnnounced]] = {}
    for event in snapshot.events:
        if isinstance(event, ev.LocatorAnnounced) and event.commitment.startswith(COMMITMENT_MARK):
            by_site.setdefault(event.site, []).append(event)
    latest = [event for said in by_site.values() for event in said[-_MOST_ANNOUNCED:]]
    for event in latest:
        evidence.want(event.commitment, event.locator, MAX_CHECKPOINT_SIZE_BYTES)
    found = []
    for event in latest:
        blob = evidence.get(event.commitment, event.locator, MAX_CHECKPOINT_SIZE_BYTES)
        if blob.path is not None:
            with suppress(MalformedBlobError):
                data = blob.path.read_bytes()
                found.append(SignedCheckpoint.from_bytes(data, "announced checkpoint"))
    return found


@dataclass(slots=True)
class _Walk:
    """Audit rounds in order, recalling those that were verified before as they are now."""

    snapshot: Snapshot
    audit: RoundsAudit
    findings: Findings
    memory: AuditMemory | None
    kept: dict[RoundNumber, KeptRound]
    previous: PreviousRound | None

    def step(self, number: RoundNumber, entry: RoundHistory) -> RoundResult:
        kept = self.kept.get(number)
        return self._recall(number, entry, kept) if kept else self._look(number, entry)

    def _recall(self, number: RoundNumber, entry: RoundHistory, kept: KeptRound) -> RoundResult:
        assert entry.final_proposal is not None
        self.audit.check_stored(entry.final_proposal.proposed)
        self.audit.earned[number] = kept.earned
        self.findings.entries.extend(kept.notices)
        for work in kept.works(entry):
            self.audit.own_work.remember(work)
        coming = RoundNumber(number + 1)
        if coming not in self.kept:
            self.previous = self.audit.recall_following(number, entry)
        return kept.result

    def _look(self, number: RoundNumber, entry: RoundHistory) -> RoundResult:
        known, seen = len(self.findings.entries), len(self.audit.own_work.seen)
        result, self.previous = self.audit.audit_round(number, entry, self.previous)
        found = self.findings.entries[known:]
        is_clean = all(each.severity is Severity.NOTICE for each in found)
        if self.memory and is_clean and result.verdict is RoundVerdict.VERIFIED:
            own_work = self.audit.own_work
            kept = KeptRound(
                recalled=Recalled(number, now(), self.snapshot.head.number),
                seed=own_work.seed,
                result=result,
                earned=self.audit.earned[number],
                notices=found,
                samples=[
                    (work.site, work.submission.attempt, work.base, work.sample)
                    for work in own_work.seen[seen:]
                ],
            )
            self.memory.keep(bind(self.snapshot, number, entry), kept)
        return result


def _masks_of(
    snapshot: Snapshot, plan: Plan, cohorts: Mapping[Key, Cohort], tools: Tools
) -> MasksAudit | None:
    """Fold what the ledger says of masks; None in a run that has none."""
    if not plan.is_masked:
        return None
    # Loaded when asked for: most runs mask nothing.
    from fednet.audit.masks import MasksAudit

    return MasksAudit.of(snapshot, plan, cohorts, tools.evidence, tools.findings)


def _audit_rounds(
    snapshot: Snapshot,
    history: RunHistory,
    ground: Ground,
    tools: Tools,
    progress: Progress | None,
    memory: AuditMemory | None,
) -> tuple[list[RoundResult], list[Recalled]]:
    plan, findings = ground.plan, tools.findings
    check_committees(snapshot, plan, tools.signer_of, findings)
    rows = check_batches(snapshot, history, tools.evidence, tools.signer_of, findings)
    check_consents(snapshot, plan, findings)
    cohorts = walk_cohorts(snapshot.run_events, plan, findings)
    check_deadlines(snapshot, plan, cohorts, findings)
    check_samples(snapshot, history, plan, cohorts, findings)
    if plan.is_masked:
        check_masked_acts(snapshot, cohorts, findings)
        check_masked_times(snapshot, plan, cohorts, findings)
    kept = {
        number: found
        for number, entry in history.rounds.items()
        if memory and entry.finalized and (found := memory.recall(bind(snapshot, number, entry)))
    }
    seed = next((each.seed for each in kept.values()), snapshot.running_hash)
    audit = RoundsAudit(
        tools=tools,
        plan=plan,
        chain_id=snapshot.deployment.chain_id,
        contract=snapshot.run.module,
        history=history,
        initial=snapshot.run.initial_model,
        cohorts=cohorts,
        settlements=snapshot.settlements,
        rows=rows,
        masks=_masks_of(snapshot, plan, cohorts, tools),
        own_work=OwnWork(plan, findings, seed, lambda submission: audit.content_of(submission)),
    )
    previous = None
    if ground.initial_model is not None:
        previous = PreviousRound(
            snapshot.run.plan, snapshot.run.initial_model, ground.initial_model, {}
        )
    walk = _Walk(snapshot, audit, findings, memory, kept, previous)
    results = []
    numbers = sorted(history.rounds)
    for done, number in enumerate(numbers):
        for coming in numbers[done : done + 2]:
            if coming not in kept:
                audit.prefetch(history.rounds[coming])
        results.append(walk.step(number, history.rounds[number]))
        if progress is not None:
            progress(done + 1, len(numbers))
    check_claims(snapshot, audit.earned, findings)
    return results, [kept[number].recalled for number in numbers if number in kept]
