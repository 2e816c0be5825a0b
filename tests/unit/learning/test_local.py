"""Local training by every algorithm, by hand on a model of one number, and on a small net."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fednet.domain.sections import PersonalSection, TrainingSection
from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError, TrainingError
from fednet.learning import Dataset, LocalTerms, Task, groups, local, training
from fednet.learning.state import read_state
from fednet.learning.values import TrainResult


class Line(Task):
    """Fit one number: loss (w - 1)^2 / 2, whose gradient is w - 1."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(1, 1, bias=False)

    def load(self, path: Path) -> Dataset:
        raise NotImplementedError

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return torch.nn.functional.mse_loss(model(batch.features), torch.ones(len(batch), 1)) / 2

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        return {"output": float(model(data.features).mean())}


class Centre(torch.nn.Module):
    """Take out a running mean, as a normalisation does, and scale."""

    def __init__(self) -> None:
        super().__init__()
        self.running_mean: torch.Tensor
        self.register_buffer("running_mean", torch.zeros(3))
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.running_mean.mul_(0.9).add_(values.detach().mean(0), alpha=0.1)
        return self.scale * (values - self.running_mean)


class Net(Line):
    """Two layers with a normalisation between them, whose running mean is a buffer."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(2, 3), Centre(), torch.nn.Linear(3, 1))


ONE = Dataset(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
ROWS = Dataset(
    torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0], [0.5, 0.5]]),
    torch.zeros(4, dtype=torch.int64),
)
BUFFER = "1.running_mean"


def number(value: float) -> dict[str, FloatArray]:
    return {"weight": np.full((1, 1), value, np.float32)}


def settings(**changes: Any) -> TrainingSection:
    values = {"learning_rate": Decimal("0.5"), "local_epochs": 1, "batch_size": 2, **changes}
    return TrainingSection.model_validate(values)


def fit(terms: LocalTerms, base: float = 0.0, **changes: Any) -> TrainResult:
    return local.work(Line(), ONE, number(base), settings(**changes), 0, terms)


def base_of_net() -> dict[str, FloatArray]:
    return read_state(training.build_model(Net(), 5))


def only(result: TrainResult) -> float:
    return float(result.update["weight"][0, 0])


def test_scaffold_corrects_each_step_and_moves_its_control_variate() -> None:
    terms = LocalTerms(control=number(0.2), kept=groups.join({groups.OWN_CONTROL: number(0.1)}))
    result = fit(terms, algorithm="scaffold")
    # y = 0 - 0.5 ((0 - 1) - 0.1 + 0.2) = 0.45
    assert only(result) == pytest.approx(0.45)
    # c_i' - c_i = (x - y) / (K lr) - c = -0.9 - 0.2; c_i' = -1: the gradient at x
    assert float(result.control["weight"][0, 0]) == pytest.approx(-1.1)
    assert float(result.kept["control/weight"][0, 0]) == pytest.approx(-1.0)
    assert result.steps == 1


def test_scaffold_goes_on_from_zeros_where_its_control_variate_was_lost() -> None:
    lost = fit(LocalTerms(control=number(0.2)), algorithm="scaffold")
    wrong = {"control/weight": np.ones((2, 2), np.float32)}
    other = fit(LocalTerms(control=number(0.2), kept=wrong), algorithm="scaffold")
    assert only(lost) == only(other) == pytest.approx(0.5 * (1 - 0.2))
    np.testing.assert_array_equal(lost.kept["control/weight"], lost.control["weight"])


def test_scaffold_without_a_step_leaves_the_control_variate() -> None:
    result = fit(LocalTerms(control=number(0.2)), algorithm="scaffold", local_epochs=0)
    assert result.steps == 0
    assert not result.control["weight"].any()


def test_scaffold_adds_up_over_rounds_to_the_mean_gradient_correction() -> None:
    """Two sites that want 1 and -1 meet in the middle without drifting."""
    far = Dataset(-torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
    world, control = number(0.7), number(0.0)
    kept: list[dict[str, FloatArray]] = [{}, {}]
    for _ in range(40):
        results = [
            local.work(
                Line(), data, world, settings(algorithm="scaffold", local_epochs=5), 0,
                LocalTerms(control=control, kept=own),
            )
            for data, own in zip((ONE, far), kept, strict=True)
        ]  # fmt: skip
        kept = [result.kept for result in results]
        world = {"weight": world["weight"] + sum(r.update["weight"] for r in results) / 2}
        control = {"weight": control["weight"] + sum(r.control["weight"] for r in results) / 2}
    assert float(world["weight"][0, 0]) == pytest.approx(0, abs=1e-5)
    # Each site's variate has become its gradient at the meeting point.
    assert float(kept[0]["control/weight"][0, 0]) == pytest.approx(-1, abs=1e-4)
    assert float(kept[1]["control/weight"][0, 0]) == pytest.approx(1, abs=1e-4)


def test_steps_are_counted() -> None:
    result = local.work(Net(), ROWS, base_of_net(), settings(local_epochs=3), 0, LocalTerms())
    assert result.steps == 6
    assert result.examples == 4


def test_frozen_layers_stay_as_they_are_and_do_not_travel() -> None:
    base = base_of_net()
    result = local.work(
        Net(), ROWS, base, settings(local_epochs=2), 0, LocalTerms(travelling=("2.*",))
    )
    assert set(result.update) == {"2.weight", "2.bias"}
    assert any(value.any() for value in result.update.values())
    assert not result.kept


def test_frozen_buffers_are_restored_for_the_metrics() -> None:
    base = base_of_net()
    still = settings(local_epochs=1, learning_rate=Decimal("0.000000001"))
    result = local.work(
        Net(), ROWS, base, still, 0, LocalTerms(travelling=("2.*",), metric="output")
    )
    assert result.metrics["output"] == pytest.approx(result.published["output"], abs=1e-6)


def test_the_control_variate_of_buffers_stays_zero() -> None:
    base = base_of_net()
    control = {name: np.zeros_like(value) for name, value in base.items()}
    result = local.work(
        Net(), ROWS, base, settings(algorithm="scaffold"), 0, LocalTerms(control=control)
    )
    assert result.update[BUFFER].any()
    assert not result.control[BUFFER].any()
    assert result.control["0.weight"].any()


def test_local_heads_never_travel_and_go_on_from_where_they_were() -> None:
    shared = {name: value for name, value in base_of_net().items() if not name.startswith("2.")}
    terms = LocalTerms(personal=("2.*",))
    first = local.work(Net(), ROWS, shared, settings(seed=5), 0, terms)
    assert set(first.update) == set(shared)
    assert set(first.kept) == {"personal/2.weight", "personal/2.bias"}
    again = local.work(Net(), ROWS, shared, settings(seed=5), 0, terms)
    np.testing.assert_array_equal(again.kept["personal/2.bias"], first.kept["personal/2.bias"])
    second = local.work(
        Net(), ROWS, shared, settings(local_epochs=0), 0,
        LocalTerms(personal=("2.*",), kept=first.kept),
    )  # fmt: skip
    np.testing.assert_array_equal(second.kept["personal/2.weight"], first.kept["personal/2.weight"])
    fresh = base_of_net()
    start = local.work(Net(), ROWS, shared, settings(seed=5, local_epochs=0), 0, terms)
    np.testing.assert_array_equal(start.kept["personal/2.weight"], fresh["2.weight"])


def test_fedprox_does_not_pull_local_heads() -> None:
    class Sloped(Line):
        def model(self) -> torch.nn.Module:
            model = torch.nn.Linear(1, 1)
            torch.nn.init.zeros_(model.bias)
            return model

    strong = settings(
        algorithm="fedprox", proximal_mu=Decimal(100), learning_rate=Decimal("0.009"),
        local_epochs=400,
    )  # fmt: skip
    result = local.work(Sloped(), ONE, number(0), strong, 0, LocalTerms(personal=("bias",)))
    assert abs(only(result)) < 0.02
    assert result.kept["personal/bias"] == pytest.approx(1, abs=0.1)


def ditto(pull: str, epochs: int = 2) -> PersonalSection:
    return PersonalSection(method="ditto", pull=Decimal(pull), epochs=epochs)


def test_ditto_pulls_a_model_of_ones_own_to_the_base() -> None:
    result = fit(LocalTerms(beside=ditto("0.5")))
    # 0 -> 0.5; then gradient (0.5 - 1) + 0.5 (0.5 - 0) = -0.25: 0.5 -> 0.625
    assert float(result.kept["beside/weight"][0, 0]) == pytest.approx(0.625)
    assert only(result) == 0.5
    assert result.metrics == {
        "output": pytest.approx(0.5), "personal_output": pytest.approx(0.625)
    }  # fmt: skip
    assert result.steps == 1


def test_ditto_goes_on_from_the_model_of_ones_own() -> None:
    kept = {"beside/weight": np.full((1, 1), 3.0, np.float32)}
    result = fit(LocalTerms(beside=ditto("1", epochs=1), kept=kept), base=1.0)
    # gradient (3 - 1) + 1 (3 - 1) = 4: 3 -> 1
    assert float(result.kept["beside/weight"][0, 0]) == pytest.approx(1.0)


def test_ditto_leaves_the_update_as_it_would_be_without() -> None:
    base = base_of_net()
    plain = local.work(Net(), ROWS, base, settings(), 4, LocalTerms())
    beside = local.work(Net(), ROWS, base, settings(), 4, LocalTerms(beside=ditto("0.1")))
    for name, value in plain.update.items():
        assert value.tobytes() == beside.update[name].tobytes()


def test_the_metric_that_was_asked_for_is_the_bases() -> None:
    result = fit(LocalTerms(metric="output"), base=0.25)
    assert result.published == {"output": 0.25}
    assert result.evaluated == 1
    with pytest.raises(TaskError, match="no such metric"):
        fit(LocalTerms(metric="accuracy"))


@pytest.mark.parametrize("names", [("weight", "extra"), ()])
def test_a_base_of_other_tensors_is_refused(names: tuple[str, ...]) -> None:
    base = {name: np.zeros((1, 1), np.float32) for name in names}
    with pytest.raises(TrainingError, match="does not fit"):
        local.work(Line(), ONE, base, settings(), 0, LocalTerms())


def test_a_plan_that_lets_no_parameter_be_trained_is_refused() -> None:
    with pytest.raises(TrainingError, match="no parameter"):
        local.work(Net(), ROWS, base_of_net(), settings(), 0, LocalTerms(travelling=(BUFFER,)))


def test_parameters_can_be_trained_again_after_some_were_fixed() -> None:
    model = training.build_model(Net(), 1)
    training.train(Net(), model, ROWS, settings(), 0, fixed={"0.weight"})
    assert all(parameter.requires_grad for parameter in model.parameters())
