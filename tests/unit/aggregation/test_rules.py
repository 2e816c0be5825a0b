"""Each rule against a plain reference, against golden bytes, and against liars."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import rules as measured
from benchmarks._stacked import STACKED, hostile_among
from fednet.aggregation import Contribution, Rule, aggregate
from fednet.aggregation.centres import CentredClipping, GeometricMedian, NormBounding
from fednet.aggregation.coordinates import Median, TrimmedMean
from fednet.aggregation.distances import squared_distances, squared_norms
from fednet.aggregation.fedavg import FedAvg
from fednet.aggregation.fednova import FedNova, length_of
from fednet.aggregation.krum import Bulyan, Krum, MultiKrum
from fednet.aggregation.networks import network
from fednet.aggregation.rule import RULES
from fednet.domain.identity import SiteId
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, TensorSpec
from fednet.errors import AggregationError, QuorumError

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "rules.json").read_text("utf-8"))
KERNELS = ("numpy", "numba")
HOSTILE = VECTOR["hostile"]


class Values:
    """A vector in memory."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, np.float32)
        self.element_count = self.values.size

    def read_into(self, start: int, out: Any) -> None:
        out[:] = self.values[start : start + out.size]


def every_rule(kernel: str) -> dict[str, Rule]:
    return {
        "fedavg": FedAvg(kernel),
        "fednova": FedNova(0.5, kernel),
        "median": Median(kernel),
        "trimmed-mean": TrimmedMean(HOSTILE, kernel),
        "krum": Krum(HOSTILE, kernel),
        "multi-krum": MultiKrum(HOSTILE, 0, kernel),
        "bulyan": Bulyan(HOSTILE, kernel),
        "geometric-median": GeometricMedian(4, kernel),
        "norm-bounding": NormBounding(100.0, kernel),
        "centred-clipping": CentredClipping(100.0, 3, kernel),
    }


def combined(
    rule: Rule, rows: Any, *, weights: Any = None, steps: Any = None, threads: int = 1
) -> tuple[Any, Any]:
    """Combine rows of float32 and return float64 values and the outcome."""
    rows = np.asarray(rows, np.float32)
    weights = weights or [1] * len(rows)
    steps = steps or [1] * len(rows)
    entries = [
        Contribution(SiteId(at + 1), weights[at], Values(row), 0, steps[at])
        for at, row in enumerate(rows)
    ]
    out = np.full(rows.shape[1], np.nan)

    def emit(start: int, values: Any) -> None:
        out[start : start + values.size] = values

    return out, rule.combine(entries, emit, threads)


def integers(number: int, elements: int) -> Any:
    """Integers below 2**16, from arithmetic on whole numbers alone."""
    at = np.arange(elements, dtype=np.uint64)
    mixed = (at * 2654435761 + number * 40503 * 65537 + 12345) % (1 << 32)
    return (mixed ^ (mixed >> np.uint64(15))) & np.uint64(0xFFFF)


def golden_rows() -> Any:
    """Values of a hundred binary orders of magnitude; two sites are far off."""
    rows = []
    for site in range(1, VECTOR["sites"] + 1):
        whole = integers(site, VECTOR["elements"]).astype(np.float64) - 32768
        rows.append(whole * 2.0**-17 + (8.0 if site in VECTOR["far"] else 0.0))
    return np.array(rows).astype(np.float32)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_rule_gives_the_golden_bytes(kernel: str, threads: int) -> None:
    rows = golden_rows()
    assert hashlib.sha256(rows.tobytes()).hexdigest() == VECTOR["updates"]
    weights = [100 + 7 * at for at in range(len(rows))]
    steps = [3 + at for at in range(len(rows))]
    for name, rule in every_rule(kernel).items():
        values, outcome = combined(rule, rows, weights=weights, steps=steps, threads=threads)
        assert hashlib.sha256(values.tobytes()).hexdigest() == VECTOR["combined"][name], name
        assert outcome == VECTOR["outcomes"][name]


def test_every_rule_has_golden_bytes() -> None:
    assert VECTOR["combined"].keys() == RULES.keys()
    assert every_rule("numpy").keys() == RULES.keys()


SMALL = st.integers(-8, 8).map(lambda whole: whole / 4)


@st.composite
def small_rows(draw: Any, least: int = 1, most: int = 12) -> Any:
    count, width = draw(st.integers(least, most)), draw(st.integers(1, 6))
    return [[draw(SMALL) for _ in range(width)] for _ in range(count)]


def both(rows: Any, make: Any) -> tuple[Any, Any]:
    """Combine by both kernels, which must agree in every bit; return what came out."""
    plain, told = combined(make("numpy"), rows)
    quick, also_told = combined(make("numba"), rows)
    assert plain.tobytes() == quick.tobytes()
    assert told == also_told
    return plain, told


@given(small_rows())
def test_median_is_the_median(rows: Any) -> None:
    got, told = both(rows, Median)
    assert got.tolist() == [statistics.median(column) for column in zip(*rows, strict=True)]
    assert told == {}


@given(small_rows(3), st.integers(0, 1))
def test_trimmed_mean_cuts_both_ends(rows: Any, trim: int) -> None:
    got, _ = both(rows, lambda kernel: TrimmedMean(trim, kernel))
    for value, column in zip(got, zip(*rows, strict=True), strict=True):
        kept = sorted(column)[trim : len(column) - trim]
        assert value == math.fsum(kept) / len(kept)


@given(st.integers(1, 40), st.data())
def test_network_sorts_the_ranks_that_are_wanted(count: int, data: Any) -> None:
    first = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(first + 1, count))
    # A network that sorts every column of zeros and ones sorts everything.
    columns = data.draw(st.lists(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    for column in columns:
        got = list(column)
        for low, high in network(count, first, stop):
            got[low], got[high] = min(got[low], got[high]), max(got[low], got[high])
        assert got[first:stop] == sorted(column)[first:stop]


def reference_krum(rows: Any, among: list[int], hostile: int) -> list[int]:
    """Order updates by their scores, by the definition."""

    def score(one: int) -> float:
        squares = sorted(
            sum((a - b) ** 2 for a, b in zip(rows[one], rows[other], strict=True))
            for other in among
            if other != one
        )
        return math.fsum(squares[: max(1, len(among) - hostile - 2)])

    return sorted(among, key=lambda one: (score(one), one))


@given(small_rows(5), st.integers(0, 1))
def test_krum_takes_the_least_score(rows: Any, hostile: int) -> None:
    order = reference_krum(rows, list(range(len(rows))), hostile)
    got, told = both(rows, lambda kernel: Krum(hostile, kernel))
    assert told["chosen"] == [order[0] + 1]
    assert told["left_out"] == sorted(at + 1 for at in order[1:])
    assert got.tolist() == rows[order[0]]


@given(small_rows(5), st.integers(0, 3))
def test_multi_krum_averages_the_least_scores(rows: Any, keep: int) -> None:
    most = len(rows) - 1 - 2
    chosen = sorted(reference_krum(rows, list(range(len(rows))), 1)[: min(keep, most) or most])
    got, told = both(rows, lambda kernel: MultiKrum(1, keep, kernel))
    assert told["chosen"] == [at + 1 for at in chosen]
    assert got.tolist() == [
        math.fsum(column) / len(chosen) for column in zip(*(rows[at] for at in chosen), strict=True)
    ]


@settings(max_examples=50)
@given(small_rows(7, 12))
def test_bulyan_chooses_by_krum_and_averages_near_the_median(rows: Any) -> None:
    left = list(range(len(rows)))
    for _ in range(len(rows) - 2):
        left.remove(reference_krum(rows, left, 1)[0])
    chosen = [at for at in range(len(rows)) if at not in left]
    got, told = both(rows, lambda kernel: Bulyan(1, kernel))
    assert told == {"chosen": [at + 1 for at in chosen], "left_out": [at + 1 for at in left]}
    for value, column in zip(got, zip(*(rows[at] for at in chosen), strict=True), strict=True):
        middle = statistics.median(column)
        near = sorted(column, key=lambda each: (abs(each - middle), each))[: len(rows) - 4]
        assert value == math.fsum(near) / len(near)


def stacked_weiszfeld(rows: Any, iterations: int) -> Any:
    """Iterate on vectors, as the paper does."""
    rows = np.asarray(rows, np.float64)
    centre = rows.mean(axis=0)
    for _ in range(iterations):
        weights = 1 / np.maximum(np.linalg.norm(rows - centre, axis=1), 1e-6)
        centre = (weights[:, None] * rows).sum(axis=0) / weights.sum()
    return centre


def test_geometric_median_is_weiszfeld_on_vectors() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(9, 5000))
    rows[4] += 50
    got, told = both(rows, lambda kernel: GeometricMedian(8, kernel))
    expected = stacked_weiszfeld(rows.astype(np.float32), 8)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert told == {"weakened": [5]}


def test_geometric_median_of_equal_updates_is_each_of_them() -> None:
    got, told = both([[1.5, -2.0]] * 4, lambda kernel: GeometricMedian(8, kernel))
    assert got.tolist() == [1.5, -2.0]
    assert told == {"weakened": []}


def stacked_clipping(rows: Any, norm: float, iterations: int) -> Any:
    rows = np.asarray(rows, np.float64)
    centre = np.zeros(rows.shape[1])
    for _ in range(iterations):
        away = rows - centre
        lengths = np.linalg.norm(away, axis=1)
        centre = centre + (away * np.minimum(1, norm / lengths)[:, None]).mean(axis=0)
    return centre


@pytest.mark.parametrize("iterations", [1, 2, 7])
def test_centred_clipping_is_clipping_of_vectors(iterations: int) -> None:
    draw = np.random.default_rng(2)
    rows = draw.normal(size=(8, 4100))
    rows[2] *= 30
    got, told = both(rows, lambda kernel: CentredClipping(70.0, iterations, kernel))
    expected = stacked_clipping(rows.astype(np.float32), 70.0, iterations)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)
    assert told == {"clipped": [3]}


@pytest.mark.parametrize("name", sorted(STACKED))
def test_what_speed_is_measured_against_does_the_same(name: str) -> None:
    # Norms of about 5,000, of which the benchmark's bounds cut off some.
    draw = np.random.default_rng(4)
    rows = (draw.normal(size=400) + draw.normal(size=(15, 400))) * 180
    rows = rows.astype(np.float32)
    got, _ = both(rows, lambda kernel: measured.RULES[name](hostile_among(len(rows)), kernel))
    np.testing.assert_allclose(got, STACKED[name](rows), rtol=1e-4, atol=0.01)


def test_norm_bounding_cuts_and_weighs() -> None:
    # Lengths 5 and 10 are cut to 5: (3 * (3, 4) + 1 * (3, -4)) / 4
    got, told = combined(NormBounding(5.0), [[3, 4], [6, -8]], weights=[3, 1])
    assert got.tolist() == [3.0, 2.0]
    assert told == {"clipped": [2]}


def test_distances_are_those_of_vectors() -> None:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(6, 70_001)).astype(np.float32)
    entries = [Contribution(SiteId(at + 1), 1, Values(row)) for at, row in enumerate(rows)]
    wide = np.vstack([rows.astype(np.float64), np.zeros(70_001)])
    expected = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
    seen = []
    for kernel in KERNELS:
        for threads in (1, 3):
            found = squared_distances(entries, threads, kernel, with_origin=True)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            seen.append((found, squared_norms(entries, threads, kernel)))
    assert all(each == seen[0] for each in seen)
    assert seen[0][1] == seen[0][0][-1][:-1]


def test_distances_see_what_float32_would_lose() -> None:
    rows = [[1.0, 2.0**-20], [1.0, 2.0**-21], [1.0, 0.0]]
    entries = [Contribution(SiteId(at + 1), 1, Values(row)) for at, row in enumerate(rows)]
    assert squared_distances(entries, 1)[0][1] == 2.0**-42


def test_distances_of_the_largest_values_are_finite() -> None:
    largest = float(np.finfo(np.float32).max)
    entries = [
        Contribution(SiteId(at + 1), 1, Values([sign * largest] * 5000))
        for at, sign in enumerate((1, -1))
    ]
    assert math.isfinite(squared_distances(entries, 1)[0][1])


def test_fednova_takes_as_far_as_the_mean_number_of_steps() -> None:
    # Each step moved by 1, in 2 and in 6 steps; weights 1 and 3, so 5 steps on average.
    got, _ = combined(FedNova(), [[2.0], [6.0]], weights=[1, 3], steps=[2, 6])
    assert got.tolist() == [5.0]
    # 4 a step at one site, 0 at the other: 5 * (1/4 * 4 + 3/4 * 0)
    got, _ = combined(FedNova(), [[8.0], [0.0]], weights=[1, 3], steps=[2, 6])
    assert got.tolist() == [5.0]


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_fednova_counts_what_momentum_repeats(steps: int) -> None:
    velocity = moved = 0.0
    for _ in range(steps):
        velocity = 0.9 * velocity + 1.0
        moved += velocity
    assert length_of(steps, 0.9) == pytest.approx(moved, rel=1e-12)


def test_fednova_refuses_an_update_without_steps() -> None:
    with pytest.raises(AggregationError) as caught:
        combined(FedNova(), [[1.0]], steps=[0])
    assert caught.value.subject == "site 1"


@pytest.mark.parametrize(
    ("rule", "count"), [(TrimmedMean(2), 4), (Krum(1), 4), (MultiKrum(1), 4), (Bulyan(1), 6)]
)
def test_rules_refuse_too_few_updates(rule: Any, count: int) -> None:
    with pytest.raises(QuorumError):
        combined(rule, [[0.0]] * count)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"fedavg", "fednova", "norm-bounding"}))
def test_claimed_examples_buy_nothing_where_rules_do_not_weigh(name: str) -> None:
    rows = golden_rows()[:, :500]
    count = len(rows)
    honest = combined(every_rule("numpy")[name], rows)
    bought = combined(every_rule("numpy")[name], rows, weights=[1] * (count - 1) + [1 << 39])
    assert honest[0].tobytes() == bought[0].tobytes()
    assert honest[1] == bought[1]


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("kernel", KERNELS)
def test_signs_of_zeros_and_order_of_equals_change_no_bit(name: str, kernel: str) -> None:
    rows = np.zeros((11, 300), np.float32)
    rows[::2] = -0.0
    rows[3:5, ::3] = 1.5
    flipped = np.where(rows == 0, -rows, rows)
    first, second = (combined(every_rule(kernel)[name], each) for each in (rows, flipped))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1] == second[1]


@pytest.mark.parametrize("name", sorted(RULES))
def test_no_rule_writes_a_state_that_is_not_finite(name: str, tmp_path: Path) -> None:
    largest = np.finfo(np.float32).max
    layout = Layout((TensorSpec("w", (3,)),))
    entries = [Contribution(SiteId(at + 1), 5, Values([largest, 1, 1]), 0, 1) for at in range(11)]
    rule = every_rule("numpy")[name]
    if name in ("norm-bounding", "centred-clipping"):
        rule = NormBounding(1e39) if name == "norm-bounding" else CentredClipping(1e39, 1)
    base = Values([largest, 0, 0])
    with pytest.raises(AggregationError):
        aggregate(lambda count: (rule, {}), StateShape.plain(layout), base, entries, tmp_path / "s")
