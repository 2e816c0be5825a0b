from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fednet.aggregation import Contribution, FirstOfAll, group_by_similarity
from fednet.aggregation.similarity import cosines, link
from fednet.domain.identity import SiteId
from fednet.domain.tensors import FloatArray


class Flat:
    """A vector in memory."""

    def __init__(self, values: FloatArray) -> None:
        self._values = np.ascontiguousarray(values, np.float32)
        self.element_count = self._values.size

    def read_into(self, start: int, out: FloatArray) -> None:
        out[:] = self._values[start : start + out.size]


def contributions(rows: FloatArray) -> list[Contribution]:
    return [Contribution(SiteId(number + 1), 1, Flat(row)) for number, row in enumerate(rows)]


def test_opposite_directions_part_whatever_their_length() -> None:
    random = np.random.default_rng(3)
    one, other = random.standard_normal((2, 9_000))
    rows = np.array(
        [one, other, 5 * one, other / 7, one + 0.2 * other, other - 0.2 * one], np.float32
    )
    rows += random.standard_normal(rows.shape).astype(np.float32) / 10
    grouped = group_by_similarity(list(reversed(contributions(rows))), 2)
    assert grouped == {1: 0, 2: 1, 3: 0, 4: 1, 5: 0, 6: 1}


def test_equal_updates_go_together_and_ties_to_the_lowest_sites() -> None:
    assert link(np.ones((4, 4)), 2) == [[0, 1, 2], [3]]
    assert link(np.ones((3, 3)), 5) == [[0], [1], [2]]


def test_zero_update_is_like_nothing() -> None:
    rows = np.zeros((3, 10), np.float32)
    rows[1:, 0] = 1
    assert group_by_similarity(contributions(rows), 2) == {1: 0, 2: 1, 3: 1}


def test_cosines_are_those_of_the_definition() -> None:
    rows = np.random.default_rng(0).standard_normal((5, 10_001)).astype(np.float32)
    wide = rows.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    expected = wide @ wide.T / np.outer(norms, norms)
    np.testing.assert_allclose(cosines([Flat(row) for row in rows]), expected, atol=1e-12)


def test_cosines_have_the_pinned_bits() -> None:
    """Catch a change of the order of additions, which other members would not follow."""
    index = np.arange(5_000, dtype=np.float32)
    rows = np.stack([index % 101 / 97 - 0.5, index % 89 / 83 - 0.5, index % 7 / 3]).astype(
        np.float32
    )
    found = cosines([Flat(row) for row in rows])
    assert [found[0, 1].hex(), found[0, 2].hex(), found[1, 2].hex()] == PINNED


PINNED = ["-0x1.13bf68c3f006fp-7", "0x1.25dedbcedc406p-5", "0x1.3c06add827391p-4"]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 1 << 30))
def test_links_as_the_textbook_does(size: int, count: int, seed: int) -> None:
    half = np.random.default_rng(seed).integers(-3, 4, (size, size)).astype(float)
    similarity = half + half.T
    assert link(similarity, count) == _textbook(similarity, count)


def _textbook(similarity: np.ndarray, count: int) -> list[list[int]]:
    groups = [[row] for row in range(len(similarity))]
    while len(groups) > count:
        pairs = itertools.combinations(range(len(groups)), 2)
        best = max(
            pairs,
            key=lambda pair: (
                np.mean([similarity[a, b] for a in groups[pair[0]] for b in groups[pair[1]]]),
                [-groups[at][0] for at in pair],
            ),
        )
        groups[best[0]] = sorted(groups[best[0]] + groups.pop(best[1]))
    return groups


@pytest.mark.parametrize("size", [1, 7, 12])
def test_each_cluster_reads_as_the_first(size: int) -> None:
    state = Flat(np.arange(12, dtype=np.float32))
    out = np.empty(size, np.float32)
    for start in range(12 - size + 1):
        FirstOfAll(state, 3).read_into(start, out)
        assert out.tolist() == [(start + at) % 4 for at in range(size)]
