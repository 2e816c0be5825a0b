"""The attacker on membership, against losses whose advantage is known."""

from __future__ import annotations

import numpy as np
import pytest

from fednet.airlock import Losses
from fednet.airlock.membership import advantage, area, attack


def losses(before: object, after: object, others: object, later: object) -> Losses:
    return Losses(*(np.array(each, np.float32) for each in (before, after, others, later)))


def test_area_counts_pairs_and_ties_by_half() -> None:
    members, others = np.array([3.0, 1.0]), np.array([2.0, 1.0])
    # 3 beats 2 and 1; 1 loses to 2 and ties with 1
    assert area(members, others) == 2.5 / 4


def test_a_perfect_separation_is_found_on_examples_that_were_not_seen() -> None:
    found = attack(losses([2.0] * 40, [0.1] * 40, [2.0] * 40, [1.9] * 40))
    assert found.advantage == 1.0
    assert found.area == 1.0


def test_members_with_lower_losses_from_the_start_are_told_by_the_loss() -> None:
    draw = np.random.default_rng(1)
    fall = draw.normal(0.5, 0.2, 80)
    low, high = np.full(40, 0.2), np.full(40, 2.0)
    found = attack(losses(low + fall[:40], low, high + fall[40:], high))
    assert (found.by, found.advantage) == ("loss", 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_noise_gives_no_advantage_although_a_best_threshold_exists(seed: int) -> None:
    draw = np.random.default_rng(seed)
    members, others = draw.normal(size=(2, 400))
    thresholds = np.concatenate((members, others))
    best = max(np.mean(members >= t) - np.mean(others >= t) for t in thresholds)
    found = advantage(members, others)
    assert best > 0.02
    assert found < 0.15


def test_an_advantage_that_is_there_is_measured() -> None:
    draw = np.random.default_rng(3)
    members, others = draw.normal(1.0, 1.0, 4_000), draw.normal(0.0, 1.0, 4_000)
    # two normal laws one deviation apart: 2 Phi(1/2) - 1
    assert advantage(members, others) == pytest.approx(0.383, abs=0.03)
    assert area(members, others) == pytest.approx(0.760, abs=0.02)
