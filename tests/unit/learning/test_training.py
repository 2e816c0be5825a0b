from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

from fednet.domain.sections import TrainingSection
from fednet.errors import TaskError, TrainingError
from fednet.learning import Dataset, Task, derive_seed, training
from fednet.learning.baseline import alone, built_in_task, federated, pooled
from fednet.learning.partition import even, hospitals
from fednet.learning.state import read_state, write_state

SETTINGS = TrainingSection(
    local_epochs=2,
    batch_size=16,
    learning_rate=Decimal("0.1"),
    momentum=Decimal("0.9"),
)
"""Recommended for breast-cancer over four hospitals and ten rounds."""


class Line(Task):
    """Fit one number: loss (w - 1)^2 / 2, whose gradient is w - 1."""

    def model(self) -> torch.nn.Module:
        model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(model.weight)
        return model

    def load(self, path: Path) -> Dataset:
        raise NotImplementedError

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return ((model(batch.features) - 1) ** 2).mean() / 2

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        return {}


ONE = Dataset(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))


def _fit(**changes: object) -> float:
    values = {"learning_rate": Decimal("0.5"), "local_epochs": 2, **changes}
    model = training.build_model(Line(), 0)
    training.train(Line(), model, ONE, TrainingSection.model_validate(values), 0)
    return float(model.weight.detach())


def test_fedavg_takes_plain_gradient_steps() -> None:
    # 0 -> 0.5 -> 0.75
    assert _fit() == 0.75


def test_fedavg_keeps_momentum_within_a_round() -> None:
    # velocity -1, then 0.5 * -1 + (0.5 - 1) = -1: 0 -> 0.5 -> 1
    assert _fit(momentum=Decimal("0.5")) == 1.0


def test_fedprox_pulls_back_to_the_start() -> None:
    # second gradient: (0.5 - 1) + 0.5 * (0.5 - 0) = -0.25: 0.5 -> 0.625
    assert _fit(algorithm="fedprox", proximal_mu=Decimal("0.5")) == 0.625


@pytest.mark.parametrize("momentum", ["0", "0.9"])
def test_steps_are_those_of_torch_bit_for_bit(momentum: str) -> None:
    task, rate = built_in_task("digits"), Decimal("0.07")
    pixels = torch.rand(200, 64, generator=torch.Generator().manual_seed(5))
    data = Dataset(pixels, torch.arange(200) % 10)
    settings = TrainingSection(
        local_epochs=3, batch_size=32, learning_rate=rate, momentum=Decimal(momentum)
    )
    ours, theirs = training.build_model(task, 1), training.build_model(task, 1)
    training.train(task, ours, data, settings, 7)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=float(rate), momentum=float(momentum))
    order = torch.Generator().manual_seed(7)
    for _ in range(3):
        for rows in torch.split(torch.randperm(200, generator=order), 32):
            optimizer.zero_grad()
            task.loss(theirs, data.rows(rows)).backward()
            optimizer.step()
    expected = read_state(theirs)
    for name, array in read_state(ours).items():
        assert np.array_equal(array, expected[name]), name


def test_no_epoch_leaves_the_model_as_it_is() -> None:
    assert _fit(local_epochs=0) == 0.0


def test_training_that_diverges_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        _fit(learning_rate=Decimal(1000), local_epochs=40)
    assert "learning rate" in caught.value.hint


def test_state_of_other_dtypes_is_refused() -> None:
    model = torch.nn.Linear(2, 2)
    model.register_buffer("steps", torch.zeros(1, dtype=torch.int64))
    with pytest.raises(TaskError) as caught:
        read_state(model)
    assert caught.value.subject == "steps"
    with pytest.raises(TaskError, match="no parameters"):
        read_state(torch.nn.ReLU())
    with pytest.raises(TaskError, match="float32"):
        read_state(torch.nn.Linear(2, 2).double())


def test_state_is_sorted_and_a_copy() -> None:
    model = torch.nn.Linear(2, 2)
    state = read_state(model)
    assert list(state) == ["bias", "weight"]
    state["bias"][:] = 7
    assert not np.array_equal(read_state(model)["bias"], state["bias"])
    write_state(model, state)
    assert np.array_equal(read_state(model)["bias"], state["bias"])


def test_derive_seed_tells_every_part_apart() -> None:
    seeds = {
        derive_seed(1, 2),
        derive_seed(2, 1),
        derive_seed(12),
        derive_seed("1", 2),
        derive_seed(b"\x01", 2),
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 1 << 63 for seed in seeds)
    assert derive_seed(1, 2) == derive_seed(1, 2)


def test_federated_matches_pooled_and_beats_the_mean_hospital(tmp_path: Path) -> None:
    task = built_in_task("breast-cancer")
    outcomes = []
    for seed in range(5):
        sites, held_out = hospitals(4, seed).write(tmp_path / str(seed))
        single = [alone(task, site, held_out, SETTINGS, 10, seed)[-1]["accuracy"] for site in sites]
        outcomes.append(
            (
                federated(task, sites, held_out, SETTINGS, 10, seed)[-1]["accuracy"],
                pooled(task, sites, held_out, SETTINGS, 10, seed)[-1]["accuracy"],
                float(np.mean(single)),
            )
        )
    together, in_one_place, single_mean = np.mean(outcomes, axis=0)
    assert together >= 0.99 * in_one_place
    assert together > single_mean + 0.005


def test_digits_are_learnt_in_three_rounds(tmp_path: Path) -> None:
    sites, held_out = even("digits", 3).write(tmp_path)
    history = federated(built_in_task("digits"), sites, held_out, SETTINGS, rounds=3, seed=0)
    assert history[-1]["accuracy"] > 0.9
