"""Wrong ways to combine what the sites learnt in round 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.domain.update import STATE_METADATA
from tests.attacks.doubles import INITIAL, difference


def average_arrays(
    weighted: Iterable[tuple[int, int]], off_by: float = 0.0
) -> dict[str, FloatArray]:
    """Combine the updates of sites by these weights, as FedAvg does; a site may come twice.

    Args:
        weighted: Sites and weights.
        off_by: Added to every parameter of the next state.
    """
    pairs = sorted(weighted)
    arrays = {}
    for name, base in INITIAL.items():
        total = np.zeros(base.shape)
        for site, weight in pairs:
            total += np.float64(weight) * difference(site, 1)[name]
        arrays[name] = (base + total / sum(weight for _, weight in pairs)).astype(np.float32)
        arrays[name] += np.float32(off_by)
    return arrays


def average(weighted: Iterable[tuple[int, int]], off_by: float = 0.0) -> bytes:
    """Write such an average as a state."""
    return encode_tensors(average_arrays(weighted, off_by), STATE_METADATA)


def median(sites: Iterable[int]) -> bytes:
    """Combine the updates of sites by their coordinates' median."""
    chosen = sorted(sites)
    arrays = {
        name: (base + np.median([difference(site, 1)[name] for site in chosen], axis=0)).astype(
            np.float32
        )
        for name, base in INITIAL.items()
    }
    return encode_tensors(arrays, STATE_METADATA)
