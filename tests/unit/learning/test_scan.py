"""Records in an update: planted ones are found wherever they stand, strangers are not."""

from __future__ import annotations

import numpy as np
import pytest

from fednet.domain.tensors import FloatArray
from fednet.learning.scan import chance_of, scan

FEATURES = 24
DRAW = np.random.default_rng(5)
MIX = DRAW.normal(size=(FEATURES, FEATURES))
UNITS = 10.0 ** DRAW.integers(-6, 7, FEATURES)
"""Columns differ in their units, as measurements do."""


def records(count: int, seed: int = 1) -> FloatArray:
    """Draw records that have much in common: correlated columns about a common mean."""
    draw = np.random.default_rng(seed)
    return ((draw.normal(size=(count, FEATURES)) @ MIX + 7.0) * UNITS).astype(np.float32)


ROWS = records(80)


def strange(seed: int = 2, size: int = 40 * FEATURES) -> dict[str, FloatArray]:
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(size // FEATURES, FEATURES)) * UNITS
    return {"bias": draw.normal(size=7).astype(np.float32), "weight": noise.astype(np.float32)}


@pytest.mark.parametrize("seed", range(5))
def test_an_update_that_knows_no_record_resembles_none_but_by_chance(seed: int) -> None:
    found = scan(ROWS, strange(seed), seed)
    assert found.likeness < 0.95
    assert found.chance > 1e-3
    assert found.influence < 0.5
    assert found.stretches > 39 * FEATURES
    assert found.left_out == 0


@pytest.mark.parametrize("start", [0, 5 * FEATURES, 101])
@pytest.mark.parametrize("scale", [1.0, -1e-6, 1e6])
def test_a_planted_record_is_found_wherever_it_stands_and_however_it_is_scaled(
    start: int, scale: float
) -> None:
    update = strange()
    update["weight"].reshape(-1)[start : start + FEATURES] = ROWS[17] * scale
    found = scan(ROWS, update, 0)
    assert found.likeness > 0.999
    assert found.chance < 1e-3


def test_a_record_in_a_column_of_a_matrix_is_found() -> None:
    update = {"weight": np.ascontiguousarray(strange()["weight"].T)}
    update["weight"][:, 3] = ROWS[4]
    assert scan(ROWS, update, 0).chance < 1e-3


def test_the_mean_of_many_records_is_no_record() -> None:
    update = {"weight": np.stack([ROWS[:40].mean(axis=0), ROWS[40:].mean(axis=0)])}
    found = scan(ROWS, update, 0)
    assert found.likeness < 0.9
    assert found.influence < 0.5


def test_an_outlier_that_outweighs_all_others_shows_as_influence() -> None:
    weights = np.full(len(ROWS), 0.05)
    weights[3] = 5.0
    update = {"weight": np.float32(weights[None, :] @ ROWS)}
    assert scan(ROWS, update, 0).influence > 0.9


def test_faint_stretches_count_only_down_to_the_least_weight() -> None:
    update = strange()
    update["weight"][9] = ROWS[17] * (
        0.1 * np.linalg.norm(update["weight"]) / 40**0.5 / np.linalg.norm(ROWS[17])
    )
    assert scan(ROWS, update, 0, least_weight=0.05).chance < 1e-3
    assert scan(ROWS, update, 0, least_weight=0.2).chance > 1e-3


def test_an_update_of_zeros_or_shorter_than_a_record_betrays_nothing() -> None:
    zeros = scan(ROWS, {"weight": np.zeros((3, FEATURES), np.float32)}, 0)
    assert (zeros.likeness, zeros.influence) == (0.0, 0.0)
    short = scan(ROWS, {"bias": np.ones(FEATURES - 1, np.float32)}, 0)
    assert (short.stretches, short.likeness) == (0, 0.0)


def test_columns_that_never_vary_and_a_single_column_are_no_trouble() -> None:
    rows = np.concatenate((ROWS, np.zeros((80, 2), np.float32)), axis=1)
    found = scan(rows, {"weight": rows[:1]}, 0)
    assert found.likeness > 0.999
    single = scan(ROWS[:, :1], {"weight": ROWS[:2, :1]}, 0)
    # Of one number a row is told by nothing but chance.
    assert single.chance > 1e-3


def test_scan_repeats_its_figures() -> None:
    assert scan(ROWS, strange(), 4) == scan(ROWS, strange(), 4)


def test_chance_falls_with_likeness_and_grows_with_the_number_of_rows() -> None:
    made = np.sqrt(np.random.default_rng(0).beta(0.5, 10, 1_000))
    chances = [chance_of(likeness, made, 100) for likeness in (0.5, 0.8, 0.95, 1.0)]
    assert chances == sorted(chances, reverse=True)
    assert chance_of(0.8, made, 1_000) > chance_of(0.8, made, 100)
    # The law they were drawn from has 1 - F(0.8^2; 1/2, 10) = 8e-6; a tail tells the order.
    assert 8e-7 < chance_of(0.8, made, 1) < 8e-5
    assert chance_of(0.9, [], 10) == chance_of(0.9, [0.3], 10) == 1.0
