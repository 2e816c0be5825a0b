"""Masked updates in a recomputation: judged by their headers, summed, and freed of masks.

What an update says cannot be seen, so the intake asks only who masked it, where,
from which state, and in which company. See docs/adr/0021.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fednet.aggregation import Emit, Outcome, Vector, WrittenState, apply_mean
from fednet.audit.inputs import MaskedInputs, RoundInputs
from fednet.codec import (
    Expected,
    RawFile,
    Reason,
    Verdict,
    judge_manifest,
    update_size_limit_bytes,
)
from fednet.domain.blobs import BlobFile
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.errors import AggregationError, MalformedBlobError, QuorumError
from fednet.privacy.masking import (
    Hearing,
    Masked,
    Ring,
    RingArray,
    combine,
    read_masked_metadata,
    round_norm,
)

_MOST_OPEN = 256
"""Updates kept open while adding; further ones are opened for each read."""


class MaskedFile(RawFile):
    """Read the elements of one masked update, in chunks.

    Args:
        path: The file, or where in one it stands.
        subject: What the file is, for errors.
        size_limit_bytes: Refuse a larger file before reading any of it.
        ring: Ring of the plan.

    Raises:
        MalformedBlobError: Too large, or no canonical file of one tensor of the ring's elements.
        SettingsError: The file cannot be opened.
    """

    def __init__(self, path: BlobFile, subject: str, size_limit_bytes: int, ring: Ring) -> None:
        super().__init__(path, subject, size_limit_bytes, frozenset({ring.tensor_dtype}))
        self._ring = ring

    def read_into(self, start: int, out: RingArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on.

        Raises:
            MalformedBlobError: The file was cut short since it was opened.
        """
        self.read_bytes_into(start * self._ring.size_bytes, out.data.cast("B"))


def judge_masked(path: BlobFile, plan: Plan, expected: Expected, masked: MaskedInputs) -> Verdict:
    """Judge the bytes of one masked submission by its header.

    The caller has verified that the bytes hash to the submitted commitment.

    Raises:
        SettingsError: The file cannot be opened here, which says nothing about it.
    """
    subject, ring = f"masked update of site {expected.site}", masked.fixed_point.ring
    count = expected.shape.parts[0].layout.element_count
    if plan.privacy.adapts:
        # The last one is no update's: it tells whether the update was within the norm.
        count += 1
    try:
        with MaskedFile(path, subject, update_size_limit_bytes(plan), ring) as file:
            manifest, view = read_masked_metadata(file.header, ring, count, subject)
    except MalformedBlobError:
        return Verdict.invalid(Reason.MALFORMED)
    reason = judge_manifest(manifest, plan, expected)
    if reason is None and expected.site not in masked.dealers.holders:
        reason = Reason.NO_DEALER
    if reason is None and view != str(masked.dealers.view):
        reason = Reason.WRONG_MASKS
    if reason is not None:
        return Verdict.invalid(reason, manifest.site)
    return Verdict(Inclusion.INCLUDED, author=manifest.site, manifest=manifest)


def unmask(
    inputs: RoundInputs,
    included: list[UpdateSubmitted],
    shape: StateShape,
    base: Vector,
    target: Path,
) -> tuple[WrittenState, Outcome]:
    """Write the state that the sum of masked updates leads to.

    Args:
        inputs: What the round follows from.
        included: Submissions that count by their bytes.
        shape: What the states of the run hold.
        base: The base state's values.
        target: Where the next state is written.

    Returns:
        The state; who vanished after having dealt, and the next norm where that follows the sites.

    Raises:
        QuorumError: No set is frozen, or too few shares were disclosed.
        AggregationError: The frozen set is not what the bytes say, a dealer lied, or the sum is
            larger than these sites can honestly have.
    """
    masked = inputs.masked
    if masked is None or masked.frozen is None or masked.recovery is None:
        raise QuorumError("no set of masked updates is frozen and unmasked")
    frozen, recovery = masked.frozen, masked.recovery
    here = {entry.site: Masked(entry.commitment, entry.weight) for entry in included}
    if here != frozen.included:
        raise AggregationError(
            "the frozen set is not that of the updates that are there and valid",
            subject=f"round {inputs.place.round}, attempt {inputs.place.attempt}",
            expected=_sites(sorted(here)),
            actual=_sites(sorted(frozen.included)),
        )
    limit, ring = update_size_limit_bytes(inputs.plan), masked.fixed_point.ring
    with ExitStack() as stack:
        files: dict[SiteId, MaskedFile] = {}
        for site in here:
            path = inputs.paths[site]
            assert path is not None  # of what is unavailable nothing is included
            opened = MaskedFile(path, f"masked update of site {site}", limit, ring)
            files[site] = stack.enter_context(opened)
            if len(files) > _MOST_OPEN:
                opened.close()

        privacy, outcome = inputs.plan.privacy, Outcome()

        def emit_mean(emit: Emit) -> None:
            if not privacy.adapts:
                combine(frozen, recovery, files, masked.fixed_point, emit)
                return
            norm = round_norm(privacy, inputs.previous.next_norm)
            hearing = Hearing(emit, shape.parts[0].layout.element_count, norm)
            combine(frozen, recovery, files, masked.fixed_point, hearing.take)
            outcome.update(hearing.settle(privacy))

        written = apply_mean(emit_mean, shape, base, target, server=inputs.plan.server)
    if vanished := [int(site) for site in frozen.vanished]:
        outcome["vanished"] = vanished
    return written, outcome


def _sites(sites: list[SiteId]) -> str:
    return ", ".join(map(str, sites)) or "nobody"
