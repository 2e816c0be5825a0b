"""fednet's pieces against plain PyTorch doing the same: a slice of benchmarks/parity.py."""

from __future__ import annotations

import pytest

from benchmarks.parity import MOST_DIFFERENCE, PARITY, SKEWED, compare, learn


@pytest.mark.parametrize("name", PARITY)
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_accuracy_is_that_of_plain_pytorch(name: str, alpha: float | None) -> None:
    series = compare(PARITY[name], 10, alpha, rounds=3)
    assert series.difference <= MOST_DIFFERENCE
    assert series.ours[-1] > 0.15, "nothing was learnt, so that nothing was compared"


@pytest.mark.parametrize("name", ["SCAFFOLD", "FedAdam"])
def test_fifty_unlike_sites_too(name: str) -> None:
    assert compare(PARITY[name], 50, 0.3, rounds=2).difference <= MOST_DIFFERENCE


def test_the_algorithms_differ() -> None:
    # FedYogi's second moment is within hundredths of FedAdam's at first: accuracies may agree.
    names = [name for name in PARITY if name != "FedYogi"]
    found = [compare(PARITY[name], 10, 0.3, rounds=3).ours for name in names]
    assert len(set(found)) == len(found)


def test_adaptive_steps_help_where_sites_differ() -> None:
    adaptive = learn(SKEWED["FedAdam"], seed=0, rounds=12, rate="0.1")
    assert adaptive > learn(SKEWED["FedAvg"], seed=0, rounds=12, rate="0.1") + 0.05
