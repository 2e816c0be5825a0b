"""What is measured of large data: samples of it, or nothing where that would not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fednet.domain.sections import TrainingSection
from fednet.errors import TrainingError
from fednet.learning import Dataset, LocalTerms, ProbeOrder, Task, probing
from fednet.learning.state import read_state


class Plain(Task):
    """One weight a feature."""

    def __init__(self, features: int = 3) -> None:
        self.features = features

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(self.features, 1)

    def load(self, path: Path) -> Dataset:
        raise NotImplementedError

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return ((model(batch.features).reshape(-1) - batch.labels) ** 2).mean()

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        return {}


def data_of(rows: int, features: int = 3) -> Dataset:
    draw = torch.Generator().manual_seed(rows)
    return Dataset(torch.randn(rows, features, generator=draw), torch.randn(rows, generator=draw))


def measure(
    task: Plain, data: Dataset, order: ProbeOrder, **update: torch.Tensor
) -> probing.Probed:
    base = read_state(task.model())
    moved = {name: value.numpy() for name, value in update.items()} or base
    return probing.probe(task, data, data, base, moved, TrainingSection(), LocalTerms(), order)


def test_of_many_examples_a_sample_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "MOST_EXAMPLES", 7)
    found = measure(Plain(), data_of(40), ProbeOrder(losses=True, gradients=True, seed=5))
    assert found.examples == 40
    assert {len(each) for each in found.losses.values()} == {7}
    again = measure(Plain(), data_of(40), ProbeOrder(gradients=True, seed=5))
    assert len(again.gradients) == 7


def test_gradients_are_those_of_the_tensors_that_travel() -> None:
    task, data = Plain(), data_of(4)
    bias = measure(task, data, ProbeOrder(gradients=True), bias=torch.zeros(1)).gradients
    every = measure(task, data, ProbeOrder(gradients=True)).gradients
    # By the bias a squared error has twice the error for its gradient, by the weights x times that.
    lengths = torch.sqrt(1 + (data.features**2).sum(dim=1)).tolist()
    assert (every / bias).tolist() == pytest.approx(lengths, rel=1e-4)


def test_records_that_are_too_long_are_not_compared() -> None:
    features = probing.MOST_FEATURES + 1
    found = measure(Plain(features), data_of(2, features), ProbeOrder(records=True))
    assert found.likeness is not None
    assert (found.likeness.stretches, found.likeness.chance) == (0, 1.0)


def test_an_update_of_another_model_is_refused() -> None:
    with pytest.raises(TrainingError, match="lacks"):
        measure(Plain(), data_of(3), ProbeOrder(), strange=torch.zeros(1))


def test_a_loss_that_is_not_finite_is_told() -> None:
    data = Dataset(torch.full((3, 3), 1e30), torch.zeros(3))
    with pytest.raises(TrainingError, match="not finite"):
        measure(Plain(), data, ProbeOrder(gradients=True))
