"""Which submissions of a round count, by their bytes; the same at every member and auditor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

from fednet.audit.inputs import RoundInputs
from fednet.codec import Expected, Reason, Verdict, judge_update
from fednet.domain.batches import BatchedUpdate
from fednet.domain.blobs import BlobFile
from fednet.domain.clusters import part_for
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.errors import QuorumError


def judge(inputs: RoundInputs, shape: StateShape, pool: Executor) -> dict[SiteId, Verdict]:
    """Judge every submission of a round whose states have a shape, by site.

    Of encrypted updates only aggregators see the bytes: once there is a sum, it says what
    became of each.
    """
    if inputs.encrypted is not None:
        # Loaded when asked for: most rounds encrypt nothing.
        from fednet.audit.encrypted_updates import verdicts_of

        return verdicts_of(inputs.encrypted.header)
    commitments = {entry.site: entry.commitment for entry in inputs.submissions}
    bases, judge_bytes = inputs.bases, _judge_of(inputs)

    def judge_one(entry: UpdateSubmitted) -> Verdict:
        if (refused := inputs.refused.get(entry.site)) is not None:
            return Verdict.invalid(refused)
        path = inputs.paths.get(entry.site)
        if path is None:
            return Verdict(Inclusion.UNAVAILABLE)
        part = part_for(
            inputs.plan.clusters, inputs.place.round, inputs.previous.assigned, entry.site
        )
        expected = Expected(inputs.place, entry.site, entry.weight, bases, shape, part)
        verdict = judge_bytes(path, inputs.plan, expected)
        if (
            verdict.reason == Reason.WRONG_AUTHOR
            and verdict.author is not None
            and commitments.get(verdict.author) == entry.commitment
        ):
            return Verdict.invalid(Reason.COPIED, verdict.author)
        return verdict

    ordered = sorted(inputs.submissions, key=lambda entry: entry.site)
    verdicts = pool.map(judge_one, ordered)
    return {entry.site: verdict for entry, verdict in zip(ordered, verdicts, strict=True)}


def _judge_of(inputs: RoundInputs) -> Callable[[BlobFile, Plan, Expected], Verdict]:
    """Return the intake of the run's kind of updates."""
    if inputs.plan.is_encrypted:
        from fednet.audit.encrypted_updates import judge_encrypted

        return judge_encrypted
    if inputs.masked is None:
        return judge_update
    # Loaded when asked for: most rounds mask nothing.
    from fednet.audit.masked_updates import judge_masked

    return partial(judge_masked, masked=inputs.masked)


def require_enough(inputs: RoundInputs, verdicts: Mapping[SiteId, Verdict]) -> None:
    """Refuse a round with fewer updates than the plan's minimum, or with more unproven rows.

    A batcher that forges rows, or withholds their sheet, closes the stage on the sites
    in whose names they are; a round of what is left must not be its own.
    """
    included = len(included_of(inputs.submissions, verdicts))
    unproven = sum(
        verdicts[entry.site].inclusion is Inclusion.UNAVAILABLE
        or verdicts[entry.site].reason == Reason.UNSIGNED
        for entry in inputs.submissions
        if isinstance(entry, BatchedUpdate)
    )
    minimum = max(inputs.plan.cohort.minimum_updates, unproven + 1)
    if included < minimum:
        raise QuorumError(
            "too few updates are valid and available",
            subject=f"round {inputs.place.round}, attempt {inputs.place.attempt}",
            expected=f"at least {minimum}",
            actual=included,
            hint=f"{unproven} rows of batches are unsigned or unavailable" if unproven else "",
        )


def included_of(
    submissions: Sequence[UpdateSubmitted], verdicts: Mapping[SiteId, Verdict]
) -> list[UpdateSubmitted]:
    """List the included submissions in ascending order of site."""
    chosen = [
        entry for entry in submissions if verdicts[entry.site].inclusion is Inclusion.INCLUDED
    ]
    return sorted(chosen, key=lambda entry: entry.site)


def path_of(inputs: RoundInputs, site: SiteId) -> BlobFile:
    """Return the file of an included update."""
    path = inputs.paths[site]
    assert path is not None
    return path
