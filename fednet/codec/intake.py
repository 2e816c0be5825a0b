"""The intake: a pure function from an update's bytes to a verdict.

It asks nothing but the bytes, the plan and what the ledger says of the
submission; the same answer comes out at every member and at every auditor. An
update that fails costs its site the round and nobody else anything. It does
not ask whether the training was honest: bytes cannot show that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from fednet.codec.norm import squared_norm
from fednet.codec.update import open_update
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.update import Manifest, Place, UpdateFile
from fednet.errors import MalformedBlobError


class Reason(StrEnum):
    """Why an update is invalid; these words stand in round records for ever."""

    MALFORMED = "malformed"
    """Not the canonical bytes of an update, or too large for one."""
    WRONG_AUTHOR = "wrong-author"
    """The manifest names another site than the one that submitted it."""
    COPIED = "copied"
    """As before, and the site it names submitted these very bytes itself."""
    WRONG_PLACE = "wrong-place"
    """Made for another chain, contract, run, round or attempt."""
    WRONG_BASE = "wrong-base"
    """Trained from another state than the round's, or from one older than the plan allows."""
    WRONG_LAYOUT = "wrong-layout"
    """Tensors differ from what the plan lets travel, in name or shape."""
    WRONG_CLUSTER = "wrong-cluster"
    """Carries another cluster's model than its site belongs to."""
    WRONG_WEIGHT = "wrong-weight"
    """The manifest claims another number of examples than the ledger."""
    WRONG_STEPS = "wrong-steps"
    """More optimiser steps than the plan's epochs over the most examples take; none for FedNova."""
    WRONG_METRICS = "wrong-metrics"
    """Other metrics than the plan asks for."""
    TOO_FEW_EXAMPLES = "too-few-examples"
    """Below the plan's minimum."""
    NOT_FINITE = "not-finite"
    """A value is NaN or infinite."""
    NORM_EXCEEDED = "norm-exceeded"
    """The Euclidean norm is above the plan's bound."""
    NOT_SEALED = "not-sealed"
    """Does not open for the members of its attempt as a sealed update has to."""
    WRONG_MASKS = "wrong-masks"
    """Masked in another company than the attempt's dealers, or with other keys or shares."""
    NO_DEALER = "no-dealer"
    """Masked by a site whose secrets too few others could give back."""
    UNSIGNED = "unsigned"
    """Handed in by another site, without a signature of the account that the site had then."""
    NOT_A_MEMBER = "not-a-member"
    """Handed in by another site when its own had no standing or no role to take part."""
    CONSENT_EXPIRED = "consent-expired"
    """Handed in by another site after the grant had expired."""
    WEIGHT_OUT_OF_BOUNDS = "weight-out-of-bounds"
    """Handed in by another site with no example, or with more than the consent allows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one submission."""

    inclusion: Inclusion
    reason: str = ""
    """One of ``Reason`` if invalid; empty otherwise."""
    author: SiteId | None = None
    """Site that the manifest names, if the bytes have a manifest."""
    manifest: Manifest | None = None
    """What an included update says of itself."""
    part: int = 0
    """Part of the state that an included update changes."""
    staleness: int = 0
    """Rounds by which the state that an included update was trained from is older than the
    round's own base."""

    @classmethod
    def invalid(cls, reason: Reason, author: SiteId | None = None) -> Verdict:
        """Refuse an update."""
        return cls(Inclusion.INVALID, reason.value, author)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ledger and the base state say an update must be."""

    place: Place
    site: SiteId
    """Site that submitted."""
    weight: int
    """Examples that it submitted."""
    bases: Mapping[Commitment, int]
    """Staleness by the state that the update may have been trained from."""
    shape: StateShape
    """Tensors of that state, and which of them may travel."""
    part: int | None = None
    """Part of the state that the update must carry; None if the site may choose."""


def judge_update(path: BlobFile, plan: Plan, expected: Expected) -> Verdict:
    """Judge the bytes of one submission, streaming, in a few megabytes of memory.

    The caller has verified that the bytes hash to the submitted commitment.

    Raises:
        SettingsError: The file cannot be opened here, which says nothing about it.
    """
    subject = f"update of site {expected.site}"
    try:
        with open_update(path, subject, plan, expected.shape) as file:
            manifest = Manifest.from_metadata(file.metadata, subject)
            reason = judge_manifest(manifest, plan, expected)
            return _judge_values(file, manifest, plan, expected, reason)
    except MalformedBlobError:
        return Verdict.invalid(Reason.MALFORMED)


def _judge_values(
    file: UpdateFile, manifest: Manifest, plan: Plan, expected: Expected, reason: Reason | None
) -> Verdict:
    part = expected.shape.part_of(file.layout)
    if reason is None and part is None:
        reason = Reason.WRONG_LAYOUT
    if reason is None and part is not None and expected.part not in (None, part.number):
        reason = Reason.WRONG_CLUSTER
    if reason is None:
        reason = _check_norm(squared_norm(file), plan)
    if reason is None and part is not None:
        return Verdict(
            Inclusion.INCLUDED,
            author=manifest.site,
            manifest=manifest,
            part=part.number,
            staleness=expected.bases[manifest.base],
        )
    return Verdict.invalid(reason or Reason.WRONG_LAYOUT, manifest.site)


def judge_manifest(manifest: Manifest, plan: Plan, expected: Expected) -> Reason | None:
    """Say what an update says of itself that is not so; None if all of it may stand."""
    if manifest.site != expected.site:
        return Reason.WRONG_AUTHOR
    if manifest.place != expected.place:
        return Reason.WRONG_PLACE
    if manifest.base not in expected.bases:
        return Reason.WRONG_BASE
    if manifest.examples != expected.weight:
        return Reason.WRONG_WEIGHT
    least = 1 if plan.aggregation.rule == "fednova" else 0
    if not least <= manifest.steps <= _most_steps(plan):
        return Reason.WRONG_STEPS
    asked = {plan.evaluation.metric} - {""}
    if manifest.metrics.keys() != asked or (manifest.evaluated > 0) != bool(asked):
        return Reason.WRONG_METRICS
    if manifest.examples < plan.update.minimum_examples:
        return Reason.TOO_FEW_EXAMPLES
    return None


def _most_steps(plan: Plan) -> int:
    """Bound what a site may say it did: FedNova divides by it."""
    batches = -(-plan.update.maximum_examples // plan.training.batch_size)
    return plan.training.local_epochs * batches


def _check_norm(squared: float, plan: Plan) -> Reason | None:
    if not math.isfinite(squared):
        return Reason.NOT_FINITE
    # Fractions compare exactly: no square root, no rounding of the bound.
    if Fraction(squared) > Fraction(plan.update.maximum_norm) ** 2:
        return Reason.NORM_EXCEEDED
    return None
