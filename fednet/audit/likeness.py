"""How alike two flat vectors are: a sample to find candidates, then every element.

A sample is some elements at places that follow from a seed, in order of place:
a pure function of bytes and seed, kilobytes for any model. The seed must be one
that nobody could know when submitting, or a copier would change just the places
that are looked at. The comparison of whole files adds squares lane by lane in
float64, as ``fednet.codec.norm`` does, so that no machine gets another bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fednet.aggregation import Vector
from fednet.codec.files import CHUNK_ELEMENTS
from fednet.domain.identity import Digest
from fednet.domain.sections import UpdateSection

SAMPLE_ELEMENTS = 1_024
MOST_SAMPLE_ELEMENTS = 16 * SAMPLE_ELEMENTS
SAME_DISTANCE = 1e-6
"""Relative distance up to which two files hold the same work, touched up. Independent work
of two sites would need some 10^12 examples to come so close by chance."""
NEAR_DISTANCE = 1e-3
"""Relative distance up to which likeness is worth a notice."""
_BLOCK_ELEMENTS = 4_096
"""What is read at once: small files whole, of large ones what holds a place."""
TELLING_VALUES = 8
"""Distinct values other than zero below which equality says nothing."""

Sample = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What comparing two vectors element by element gave."""

    is_identical: bool
    distance: float
    """Norm of the difference over the larger norm; 0 for two vectors of zeros."""


def sample_size(section: UpdateSection) -> int:
    """Count the places to look at: more where a codec leaves most values zero, up to a bound."""
    return min(MOST_SAMPLE_ELEMENTS, int(SAMPLE_ELEMENTS / section.keep_ratio))


def take_sample(values: Vector, seed: Digest, size: int = SAMPLE_ELEMENTS) -> Sample:
    """Read the elements at so many of the seed's places.

    Raises:
        MalformedBlobError: They cannot be read.
    """
    places = np.array(sample_places(seed, values.element_count, size), np.int64)
    sample = np.empty(len(places), np.float32)
    block = np.empty(_BLOCK_ELEMENTS, np.float32)
    starts = places - places % _BLOCK_ELEMENTS
    for start in np.unique(starts):
        size = min(_BLOCK_ELEMENTS, values.element_count - int(start))
        values.read_into(int(start), block[:size])
        here = slice(*np.searchsorted(starts, (start, start + 1)))
        sample[here] = block[places[here] - start]
    return sample


def sample_places(seed: Digest, count: int, size: int = SAMPLE_ELEMENTS) -> list[int]:
    """Draw so many places without repetition, ascending; all of them if there are fewer."""
    if count <= size:
        return list(range(count))
    # Raw output: unlike the distributions built on it, NumPy promises its stream for ever.
    source = np.random.PCG64(int.from_bytes(seed))
    found: set[int] = set()
    while len(found) < size:
        found.add(int(source.random_raw()) % count)
    return sorted(found)


def is_telling(sample: Sample) -> bool:
    """Tell whether equality with this sample could hardly be chance."""
    return len(np.unique(sample[sample != 0])) >= TELLING_VALUES


def sample_distance(one: Sample, other: Sample) -> float:
    """Estimate the relative distance from two samples; infinite if their lengths differ."""
    if one.shape != other.shape:
        return math.inf
    first, second = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = math.sqrt(float(np.sum(np.square(first - second))))
        norms = (float(np.sum(np.square(first))), float(np.sum(np.square(second))))
    return _relative(difference, math.sqrt(max(norms)))


def compare(first: Vector, second: Vector) -> Likeness:
    """Compare every element of two vectors, in a few megabytes of memory.

    Raises:
        MalformedBlobError: One of them cannot be read.
    """
    count = first.element_count
    if count != second.element_count:
        return Likeness(False, math.inf)
    lanes = min(CHUNK_ELEMENTS, count)
    values = [np.empty(lanes, np.float32) for _ in range(2)]
    sums = np.zeros((3, lanes), np.float64)
    is_identical = True
    with np.errstate(invalid="ignore"):
        for start in range(0, count, CHUNK_ELEMENTS):
            size = min(CHUNK_ELEMENTS, count - start)
            first.read_into(start, values[0][:size])
            second.read_into(start, values[1][:size])
            a, b = (each[:size].astype(np.float64) for each in values)
            is_identical = is_identical and bool(np.array_equal(a, b))
            for lane, terms in enumerate((a - b, a, b)):
                np.add(sums[lane, :size], np.square(terms), out=sums[lane, :size])
    difference, left, right = (math.sqrt(math.fsum(row)) for row in sums)
    return Likeness(is_identical, _relative(difference, max(left, right)))


def _relative(difference: float, norm: float) -> float:
    if math.isnan(difference) or math.isnan(norm):
        return math.inf
    return 0.0 if difference == 0 else difference / norm
