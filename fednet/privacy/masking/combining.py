"""Stage 6: the sum of what counts, free of masks, and the weighted mean.

Of the pairs of sites that count, masks cancel by themselves. Taken away are the
self-masks of these sites and the masks that they share with sites that vanished.
Additions in a ring come out the same in any order, so the sum is exact and the
same for everybody; the mean is one division away (see ``fixed_point``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fednet.domain.identity import SiteId
from fednet.privacy.masking.fixed_point import DoubleArray, FixedPoint
from fednet.privacy.masking.freezing import Frozen
from fednet.privacy.masking.keys import load
from fednet.privacy.masking.masked import pair_mask, self_mask
from fednet.privacy.masking.recovery import Recovery
from fednet.privacy.masking.ring import RingArray
from fednet.privacy.masking.streams import CHUNK_ELEMENTS, Masks, Term

Emit = Callable[[int, DoubleArray], None]
"""Takes a start and the elements of the mean from there on, which change once it comes back."""


class MaskedValues(Protocol):
    """The elements of one masked update, read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the elements."""
        ...

    def read_into(self, start: int, out: RingArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        ...


def combine(
    frozen: Frozen,
    recovery: Recovery,
    updates: Mapping[SiteId, MaskedValues],
    fixed_point: FixedPoint,
    emit: Emit,
) -> None:
    """Emit the weighted mean of the updates that count, chunk by chunk.

    Args:
        frozen: The set.
        recovery: The secrets that were given back.
        updates: The bytes of every site that counts, of equal length.
        fixed_point: How values stand in the ring.
        emit: Takes float64 elements, in order; what it took counts once this comes back.

    Raises:
        AggregationError: A dealer lied, or the sum is larger than honest sites can have.
        QuorumError: A secret is missing.
    """
    recovery.require_complete(frozen.dealers.circle.threshold)
    ring = fixed_point.ring
    masks = Masks(masks_left(frozen, recovery), ring)
    included = [updates[site] for site in frozen.included]
    most = sum(fixed_point.largest(entry.weight) for entry in frozen.included.values())
    most += fixed_point.noise_reach(len(frozen.included))
    count = included[0].element_count
    total = np.empty(min(CHUNK_ELEMENTS, count), ring.dtype)
    read, mean = np.empty_like(total), np.empty(total.size, np.float64)
    for start in range(0, count, CHUNK_ELEMENTS):
        size = min(CHUNK_ELEMENTS, count - start)
        sums = total[:size]
        sums.fill(0)
        for values in included:
            values.read_into(start, read[:size])
            np.add(sums, read[:size], out=sums)
        masks.add_to(sums)
        fixed_point.require_possible(sums, most)
        fixed_point.mean_into(sums, frozen.total_weight, mean[:size])
        emit(start, mean[:size])


def masks_left(frozen: Frozen, recovery: Recovery) -> list[Term]:
    """Return what has to be added to a sum of masked updates to leave no mask in it."""
    dealers = frozen.dealers
    terms = [
        self_mask(dealers, site, recovery.secrets[site]).reversed() for site in frozen.included
    ]
    for gone in frozen.vanished:
        private = load(recovery.secrets[gone])
        # As it stands in the update of who vanished: the opposite of what its neighbour added.
        terms += [
            pair_mask(dealers, gone, private, other)
            for other in dealers.neighbours[gone]
            if other in frozen.included
        ]
    return terms
