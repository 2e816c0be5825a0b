"""Recompute a round: the one function that aggregator, attestor and audit share.

`combine` does the work that depends on the submissions and on whose bytes are
available; `settle` puts the cheap round record around it, which also names the
proposer and the number of the proposal. A second proposal over the same bytes
needs `settle` only. Nothing here asks a ledger or a store: inputs are values
and files that were verified against their commitments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from fednet.aggregation import (
    Contribution,
    FirstOfAll,
    Outcome,
    Vector,
    WrittenState,
    aggregate,
    begin_digest,
    end_digest,
    group_by_similarity,
    rule_for,
)
from fednet.aggregation.rule import DEFAULT_THREADS
from fednet.audit.inputs import RoundInputs
from fednet.audit.judging import included_of, judge, path_of, require_enough
from fednet.audit.storing import put_down
from fednet.codec import TensorFile, Verdict, open_update
from fednet.credits import CreditLedger, accumulate, credit_rule_of
from fednet.domain.blobs import BlobFile
from fednet.domain.clusters import forms_in
from fednet.domain.evaluation import Evaluation, Judgement, follow
from fednet.domain.events import RoundProposed, UpdateSubmitted
from fednet.domain.identity import Commitment, Digest, Locator, SiteId
from fednet.domain.ledger import Inclusion, Settlement, pack_inclusion
from fednet.domain.record import (
    RECORD_FORMAT,
    VERDICT_NAMES,
    ClusterEntry,
    CreditEntry,
    RoundRecord,
    UpdateEntry,
    witness,
)
from fednet.domain.shape import StateShape
from fednet.domain.update import STATE_METADATA, Place
from fednet.errors import MalformedBlobError

Locate = Callable[[Path], Locator]

_MOST_OPEN = 256
"""Updates kept open while combining; further ones are opened for each read."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A round's verdicts and next state."""

    inputs: RoundInputs
    verdicts: Mapping[SiteId, Verdict]
    """One per submission, by site."""
    outcome: Outcome
    assigned: Mapping[SiteId, int]
    """Cluster by site from the next round on, where groups by similarity are formed."""
    state: Commitment
    """As the next four fields: of the state as it is stored; see ``audit.storing``."""
    state_path: Path
    base_path: Path
    state_size_bytes: int
    state_locator: Locator
    digest: Digest
    """What a witness hashes; see ``fednet.domain.record.witness``. Never publish it."""

    def included(self) -> list[UpdateSubmitted]:
        """List the included submissions in ascending order of site."""
        return included_of(self.inputs.submissions, self.verdicts)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A complete round as it must be recorded."""

    record: RoundRecord
    record_bytes: bytes
    settlement: Settlement
    """What the chain settles if this becomes final."""
    state_path: Path
    base_path: Path
    digest: Digest
    """What a witness hashes. Never publish it."""
    verdicts: Mapping[SiteId, Verdict]
    place: Place
    proposal: int

    @property
    def commitment(self) -> Commitment:
        """Commit to the record's bytes."""
        return self.settlement.record

    def count(self, inclusion: Inclusion) -> int:
        """Count the submissions with a verdict."""
        return sum(verdict.inclusion is inclusion for verdict in self.verdicts.values())

    def inclusion(self, positions: Mapping[SiteId, int]) -> bytes:
        """Pack the verdicts as the proposal carries them.

        Args:
            positions: Roster position of each site in the attempt's cohort.
        """
        by_position = {
            positions[site]: verdict.inclusion for site, verdict in self.verdicts.items()
        }
        return pack_inclusion(by_position)

    def agrees_with(self, proposed: RoundProposed, inclusion: bytes) -> bool:
        """Tell whether a proposal says on the ledger what was recomputed: the ground to attest.

        Args:
            proposed: The proposal.
            inclusion: The recomputed verdicts, packed by `inclusion`.
        """
        return settlement_of(proposed) == self.settlement and proposed.inclusion == inclusion

    def witness(self, attestor: SiteId) -> Digest:
        """Return what a site sends to attest this very record."""
        return witness(self.place, self.proposal, self.commitment, attestor, self.digest)


def settlement_of(proposed: RoundProposed) -> Settlement:
    """Return what a proposal settles if it becomes final."""
    return Settlement(
        record=proposed.record,
        state=proposed.state,
        credits_root=proposed.credits_root,
        credits_total=proposed.credits_total,
    )


def recompute(
    inputs: RoundInputs,
    proposal: int,
    proposer: SiteId,
    locate: Locate,
    out_dir: Path,
    threads: int = DEFAULT_THREADS,
) -> Recomputed:
    """Recompute a round from its inputs: `combine`, then `settle`.

    Args:
        inputs: What the round follows from.
        proposal: Number of the proposal within the attempt, from 1.
        proposer: Site that proposes.
        locate: Computes the locator of the next state's file.
        out_dir: Existing folder that gets the next state's file.
        threads: Threads that combine; they cannot change a bit.

    Raises:
        QuorumError: Fewer updates are included than the plan's minimum, or not more than there
            are rows of batches that nobody can be shown to have signed.
        AggregationError: The rule cannot combine them.
        MalformedBlobError: The previous state is no state.
    """
    return settle(combine(inputs, locate, out_dir, threads), proposal, proposer)


def combine(
    inputs: RoundInputs, locate: Locate, out_dir: Path, threads: int = DEFAULT_THREADS
) -> Combined:
    """Judge every submission and compute the next state; see `recompute`."""
    plan, previous = inputs.plan, inputs.previous
    with ExitStack() as stack:
        base = stack.enter_context(
            TensorFile(previous.state_path, "previous state", plan.model.size_bytes)
        )
        if base.header.metadata != STATE_METADATA:
            raise MalformedBlobError("previous state is not a state")
        shape = StateShape.of_state(plan, base.layout, "previous state")
        pool = stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="judge"))
        verdicts = judge(inputs, shape, pool)
        included = included_of(inputs.submissions, verdicts)
        require_enough(inputs, verdicts)
        # The digest is one long chain, so it is hashed beside the combining.
        hashing = pool.submit(begin_digest, _seen(inputs, included))
        unfinished = Path(mkdtemp(prefix="state-", dir=out_dir))
        stack.callback(unfinished.rmdir)
        target = unfinished / "state"
        stack.callback(target.unlink, missing_ok=True)
        assigned: Mapping[SiteId, int] = {}
        if plan.is_encrypted:
            # Loaded when asked for, as what follows: most rounds hide nothing.
            from fednet.audit.encrypted_updates import decrypt_sum

            written, outcome, proof = decrypt_sum(inputs, shape, base, target)
            hashing.result().update(memoryview(proof))
        elif inputs.masked is None:
            written, outcome, assigned = _aggregate(inputs, verdicts, shape, base, target, threads)
        else:
            from fednet.audit.masked_updates import unmask

            written, outcome = unmask(inputs, included, shape, base, target)
        digest = end_digest(hashing.result(), target)
        sites = [entry.site for entry in included]
        stored = put_down(target, written.commitment, out_dir, inputs.seal, sites)
    return Combined(
        inputs=inputs,
        verdicts=verdicts,
        outcome=outcome,
        assigned=assigned,
        state=stored.commitment,
        state_path=stored.path,
        base_path=stored.base_path,
        state_size_bytes=stored.size_bytes,
        state_locator=locate(stored.path),
        digest=digest,
    )


def judge_alone(inputs: RoundInputs, threads: int = DEFAULT_THREADS) -> dict[SiteId, Verdict]:
    """Judge every submission, and combine nothing.

    Raises:
        MalformedBlobError: The previous state is no state.
    """
    plan, previous = inputs.plan, inputs.previous
    with (
        TensorFile(previous.state_path, "previous state", plan.model.size_bytes) as base,
        ThreadPoolExecutor(threads, thread_name_prefix="judge") as pool,
    ):
        return judge(inputs, StateShape.of_state(plan, base.layout, "previous state"), pool)


def _seen(inputs: RoundInputs, included: Sequence[UpdateSubmitted]) -> list[BlobFile]:
    """List what a member has to have held: the updates, or their sum where these are encrypted."""
    if inputs.encrypted is not None:
        return [inputs.encrypted.path]
    return [path_of(inputs, entry.site) for entry in included]


def _aggregate(
    inputs: RoundInputs,
    verdicts: Mapping[SiteId, Verdict],
    shape: StateShape,
    base: Vector,
    target: Path,
    threads: int,
) -> tuple[WrittenState, Outcome, Mapping[SiteId, int]]:
    """Combine single updates by the plan's rule; return whose cluster is which as well."""
    plan = inputs.plan
    with ExitStack() as stack:
        contributions: list[Contribution] = []
        for entry in included_of(inputs.submissions, verdicts):
            path = path_of(inputs, entry.site)
            file = stack.enter_context(
                open_update(path, f"update of site {entry.site}", plan, shape)
            )
            if len(contributions) >= _MOST_OPEN:
                file.close()
            verdict = verdicts[entry.site]
            steps = verdict.manifest.steps if verdict.manifest else 0
            factor = plan.staleness.factor(verdict.staleness)
            contributions.append(
                Contribution(entry.site, entry.weight, file, verdict.part, steps, factor)
            )
        assigned = dict(inputs.previous.assigned)
        start = base
        if forms_in(plan.clusters, inputs.place.round):
            assigned = group_by_similarity(contributions, plan.clusters.count)
            contributions = [replace(each, part=assigned[each.site]) for each in contributions]
            start = FirstOfAll(base, plan.clusters.count)
        elif plan.clusters.method == "similarity" and assigned:
            assigned = {each.site: each.part for each in contributions} | assigned
        written, outcome = aggregate(
            partial(rule_for, plan.aggregation, training=plan.training),
            shape,
            start,
            contributions,
            target,
            threads,
            server=plan.server,
            cohort=inputs.cohort,
        )
    return written, outcome, assigned


def settle(combined: Combined, proposal: int, proposer: SiteId) -> Recomputed:
    """Put the round record around what was combined; see `recompute`."""
    inputs, plan, place = combined.inputs, combined.inputs.plan, combined.inputs.place
    weights = {entry.site: entry.weight for entry in combined.included()}
    shares = credit_rule_of(plan.credits.rule)(plan.credits.per_round, weights)
    earned = accumulate(inputs.previous.earned, shares)
    account = CreditLedger(place.chain_id, inputs.credits_contract, place.run)
    record = RoundRecord(
        format=RECORD_FORMAT,
        chain_id=place.chain_id,
        contract=place.contract,
        run=place.run,
        round=place.round,
        attempt=place.attempt,
        proposal=proposal,
        proposer=proposer,
        plan=str(plan.commitment),
        previous_record=str(inputs.previous.record),
        previous_state=str(inputs.previous.state),
        rule=plan.aggregation.rule,
        outcome=combined.outcome,
        updates=tuple(_entries(inputs.submissions, combined.verdicts)),
        evaluation=_evaluation(combined),
        clusters=tuple(
            ClusterEntry(site=site, cluster=combined.assigned[site])
            for site in sorted(combined.assigned)
        ),
        state=str(combined.state),
        state_locator=str(combined.state_locator),
        state_size_bytes=combined.state_size_bytes,
        credits=tuple(CreditEntry(site=site, earned=earned[site]) for site in sorted(earned)),
        credits_root=str(account.root(earned)),
        credits_total=sum(earned.values()),
    )
    return Recomputed(
        record=record,
        record_bytes=record.to_bytes(),
        settlement=record.settlement,
        state_path=combined.state_path,
        base_path=combined.base_path,
        digest=combined.digest,
        verdicts=combined.verdicts,
        place=place,
        proposal=proposal,
    )


def _entries(
    submissions: Sequence[UpdateSubmitted], verdicts: Mapping[SiteId, Verdict]
) -> list[UpdateEntry]:
    entries = []
    for submitted in sorted(submissions, key=lambda each: each.site):
        verdict = verdicts[submitted.site]
        manifest = verdict.manifest
        entries.append(
            UpdateEntry(
                site=submitted.site,
                commitment=str(submitted.commitment),
                weight=submitted.weight,
                verdict=VERDICT_NAMES[verdict.inclusion],
                reason=verdict.reason,
                metrics=dict(manifest.metrics) if manifest else {},
                evaluated=manifest.evaluated if manifest else 0,
                staleness=verdict.staleness,
            )
        )
    return entries


def _evaluation(combined: Combined) -> Evaluation | None:
    """Pool what the included updates say of the state that the round started from.

    A late update speaks of an older one, so it has no part in this.
    """
    inputs, section = combined.inputs, combined.inputs.plan.evaluation
    judgements = [
        Judgement(manifest.metrics[section.metric], manifest.evaluated, entry.weight)
        for entry in combined.included()
        if (manifest := combined.verdicts[entry.site].manifest)
        and section.metric
        and combined.verdicts[entry.site].staleness == 0
    ]
    previous = inputs.previous
    return follow(
        section, previous.evaluation, judgements, inputs.place.round - 1, str(previous.state)
    )
