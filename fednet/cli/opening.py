"""Open a run, examine one before consenting, fetch what it has made."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from fednet.airlock import first_refusal
from fednet.cli import budgeting, plans, policies, publishing, queries
from fednet.cli.app import App
from fednet.cli.plans import PlanFile
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RoundProposed
from fednet.domain.identity import Commitment, GrantId, Locator, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import PhaseError, PlanError, SettingsError
from fednet.exports import model_bytes
from fednet.node.admission import ADDS_ONLY, check_admission
from fednet.node.terms import read_terms


@dataclass(frozen=True, slots=True)
class Offer:
    """What a site is asked to consent to, checked."""

    run: RunId
    plan: Plan
    grant: GrantId
    maximum_examples: int
    researcher: str


def open_run(reader: LedgerReader, writer: LedgerWriter, store: BlobStore, file: PlanFile) -> RunId:
    """Publish a checked plan with its model, and open a run under it."""
    plan = file.plan
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        canonical_plan = Path(folder, "plan.json")
        canonical_plan.write_bytes(plan.to_bytes())
        plan_locator = store.publish(canonical_plan)
    model_locator = store.publish(file.model)
    receipt = writer.open_run(
        reader.deployment.modules.at(plan.module.name),
        (plan.commitment, plan_locator),
        (Commitment(plan.model.commitment), model_locator),
        plan.credits.transferable,
        plan.parameters(),
        plan.module.drawn_sites,
        plan.masking_times,
    )
    return RunId(receipt.created)


def examine(
    app: App, reader: LedgerReader, store: BlobStore, run: RunId, site: SiteId, grant: int | None
) -> Offer:
    """Check a run against its plan, and the plan against this machine.

    Raises:
        PhaseError: The run is over, or the site consents already.
        PlanError: The contract does not hold what the plan says, or the task
            here is another one.
        AirlockRefusedError: The site's own policy says no; names the line.
        PrivacyError: The plan would spend more than is left of the dataset's privacy.
        FednetError: No live grant.
    """
    phase = reader.state(run).phase
    if phase.is_over:
        raise PhaseError("the run is over", subject=f"run {run}", actual=phase.name.lower())
    if reader.member(run, site).consenting:
        raise PhaseError(
            "the site consents already", subject=f"run {run}, site {site}", hint="fednet node run"
        )
    entry = queries.opening_of(reader, run)
    chosen = queries.live_grant(reader, entry.run, site, grant)
    plan = read_terms(reader, store, entry.opened).plan
    if site in plan.homomorphic.aggregator_sites:
        raise PlanError(
            ADDS_ONLY,
            subject=f"run {run}, site {site}",
            expected="another site",
            hint="`fednet node run --aggregate-only` adds without consent",
        )
    local = app.settings().task.source
    plans.require_task(plan, local)
    dataset = reader.dataset(reader.access(chosen).dataset)
    examples = dataset.examples
    if examples < plan.update.minimum_examples:
        raise SettingsError(
            "too few examples for this plan",
            subject=f"site {site}",
            expected=f"at least {plan.update.minimum_examples}",
            actual=examples,
        )
    policy = policies.airlock_policy(app)
    book = policies.book(app, site)
    checks = check_admission(
        policy, reader, entry.opened, plan, chosen, book.spent, has_begun=book.has_begun(run)
    )
    refusal = first_refusal(checks)
    if refusal is not None:
        raise refusal.error()
    budgeting.require_whole_run(app, reader, site, run, plan, dataset.dataset, examples)
    bound = min(examples, plan.update.maximum_examples)
    return Offer(run, plan, chosen, bound, entry.run.researcher)


def summary(offer: Offer) -> str:
    """Say in a few lines what consenting means."""
    plan, timing = offer.plan, offer.plan.timing
    bytes_when = "after submissions closed" if plan.reveals_late else "at once"
    promise = plan.privacy
    privacy = () if promise.mechanism == "none" else (
        f"  privacy   {promise.mechanism}, epsilon {promise.epsilon} at delta {promise.delta:f} "
        "promised for the whole run",
    )  # fmt: skip
    readable = f"readable by every member {bytes_when}"
    if plan.is_masked:
        readable = "masked: members learn the sum of all updates, and no single one"
    if plan.is_encrypted:
        named = ", ".join(map(str, plan.homomorphic.aggregators))
        readable = (
            f"encrypted: sites {named} add ciphertexts; one of these and a site of the run could "
            "together read it"
        )
    return "\n".join(
        (
            f"run {offer.run}, plan {plan.name!r}, researcher {offer.researcher}",
            f"  task      {plan.task.source} (this machine's code is the plan's)",
            f"  rounds    {plan.rounds}, {plan.training.local_epochs} local epochs each, "
            f"{plan.training.algorithm}",
            f"  sites     {plan.cohort.minimum_sites} to {plan.cohort.maximum_sites}; "
            f"starts with {plan.cohort.target_sites}",
            f"  leaves    one update per round, {plan.model.size_bytes} bytes, norm at most "
            f"{plan.update.maximum_norm}, {readable}",
            *privacy,
            f"  weight    at most {offer.maximum_examples} examples",
            f"  time      {timing.collect_seconds} s to train and submit in each round",
            f"  credits   {plan.credits.per_round} shared out per round",
        )
    )


@dataclass(frozen=True, slots=True)
class FinalState:
    """What a final round made."""

    plan: Plan
    final: RoundProposed
    data: bytes
    """Complete bytes of the state, verified."""


@dataclass(frozen=True, slots=True)
class FinalModel:
    """A model that a final round made."""

    plan: Plan
    final: RoundProposed
    data: bytes
    """Complete bytes of the model's own file; those of the state where it holds no more."""


def final_state(
    app: App, reader: LedgerReader, store: BlobStore, run: RunId, wanted: int | None = None
) -> FinalState:
    """Fetch the state of a final round; the latest unless another is wanted.

    Raises:
        FednetError: The round is not final, or its blobs cannot be had.
    """
    plan = read_terms(reader, store, queries.opening_of(reader, run).opened).plan
    final = queries.last_final_round(reader, run)
    if wanted is not None and wanted != final.round:
        entry = queries.history_of(reader, run).rounds.get(RoundNumber(wanted))
        proposal = entry.final_proposal if entry else None
        if proposal is None:
            raise PhaseError(
                "the round is not final",
                subject=f"run {run}, round {wanted}",
                expected=f"1 to {final.round}",
                hint="only what members have vouched for is given out",
            )
        final = proposal.proposed
    record = final_record(app, store, final)
    locator, cap = Locator(record.state_locator), record.state_size_bytes
    return FinalState(plan, final, publishing.fetch(app, store, final.state, locator, cap))


def best_round(app: App, reader: LedgerReader, store: BlobStore, run: RunId) -> int:
    """Return the round whose model the sites measured to be best.

    Raises:
        PhaseError: The plan asks for no metric, or nothing is better than the initial model.
    """
    evaluation = final_record(app, store, queries.last_final_round(reader, run)).evaluation
    if evaluation is None or evaluation.best_round == 0:
        raise PhaseError(
            "no round is known to be the best",
            subject=f"run {run}",
            hint="name a round; a plan with evaluation.metric has sites measure each",
        )
    return evaluation.best_round


def final_model(
    app: App, reader: LedgerReader, store: BlobStore, run: RunId, cluster: int | None = None
) -> FinalModel:
    """Fetch the model of the latest final round.

    Raises:
        FednetError: No round is final yet, its blobs cannot be had, or no such cluster.
    """
    state = final_state(app, reader, store, run)
    subject = f"state of round {state.final.round}"
    data = model_bytes(state.data, state.final.state, state.plan, cluster, subject)
    return FinalModel(state.plan, state.final, data)


def final_record(app: App, store: BlobStore, final: RoundProposed) -> RoundRecord:
    """Fetch the record of a final round, verified against the chain."""
    data = publishing.fetch(app, store, final.record, final.record_locator, MAX_RECORD_SIZE_BYTES)
    return RoundRecord.from_bytes(data, f"record of round {final.round}")
