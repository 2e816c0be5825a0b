"""DP-SGD: what it computes, what it refuses, and that nobody can foretell its noise."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from fednet.domain.privacy import NoisySteps
from fednet.domain.sections import PrivacySection, TrainingSection
from fednet.errors import DataError, SettingsError, TaskError
from fednet.learning import Dataset, Task, Trainer, derive_seed, local, private, training
from fednet.learning.baseline import built_in_task
from fednet.learning.partition import even
from fednet.learning.secrecy import SecretStream
from fednet.learning.single import single_gradients
from fednet.learning.state import read_state
from fednet.learning.trainer import _noise
from fednet.learning.values import LocalTerms

PRIVACY = PrivacySection(
    mechanism="dp-sgd",
    clip_norm=Decimal(1),
    noise_multiplier=Decimal(1),
    epsilon=Decimal(8),
    delta=Decimal("0.0001"),
)
QUIET = PRIVACY.model_copy(update={"noise_multiplier": Decimal("1e-9"), "clip_norm": Decimal(10)})
"""Noise too small to see: what is left is clipped SGD."""
SETTINGS = TrainingSection(local_epochs=1, batch_size=4, learning_rate=Decimal("0.5"))
KEY = bytes(range(32))


class Made(Task):
    """A task of given parts."""

    def __init__(
        self,
        model: Callable[[], torch.nn.Module],
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.cross_entropy,
    ) -> None:
        self._model, self._loss = model, loss

    def model(self) -> torch.nn.Module:
        return self._model()

    def load(self, path: Path) -> Dataset:
        raise NotImplementedError

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return self._loss(model(batch.features), batch.labels)

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        return {}


def linear() -> torch.nn.Module:
    return torch.nn.Linear(3, 2)


def examples(count: int = 12) -> Dataset:
    drawn = torch.randn(count, 3, generator=torch.Generator().manual_seed(1))
    return Dataset(drawn, torch.arange(count) % 2)


def trained(task: Task, privacy: PrivacySection, data: Dataset, **more: Any) -> torch.nn.Module:
    model = training.build_model(task, 3)
    settings = more.pop("settings", SETTINGS)
    private.train(task, model, data, settings, privacy, 5, **more)
    return model


# What it computes


def test_clipped_sum_is_that_of_each_example_by_itself() -> None:
    task, data = Made(linear), examples()
    model = training.build_model(task, 3)
    parameters = dict(model.named_parameters())
    norm = 0.8
    expected = {name: torch.zeros_like(each) for name, each in parameters.items()}
    clipped = 0
    for row in range(len(data)):
        alone = data.rows(torch.tensor([row]))
        found = torch.autograd.grad(task.loss(model, alone), list(parameters.values()))
        length = math.sqrt(sum(float(each.square().sum()) for each in found))
        clipped += length > norm
        for name, each in zip(parameters, found, strict=True):
            expected[name] += each * min(1.0, norm / length)
    assert 0 < clipped < len(data)
    with single_gradients(task, model, parameters) as gradients:
        gradients._chunk = 5  # so that the batch is cut up
        summed, losses = gradients.clipped_sum(data, norm)
        nothing, no_loss = gradients.clipped_sum(data.rows(torch.tensor([], dtype=torch.int64)), 1)
    for name, each in expected.items():
        torch.testing.assert_close(summed[name], each, rtol=1e-4, atol=1e-6)
        assert not nothing[name].any()
    assert losses == pytest.approx(len(data) * float(task.loss(model, data).detach()), rel=1e-5)
    assert no_loss == 0
    # the hooks are gone
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(hasattr(each, "grad_sample") for each in parameters.values())


def test_without_clipping_noise_and_sampling_it_is_plain_descent() -> None:
    data = examples()
    settings = SETTINGS.model_copy(update={"batch_size": len(data), "local_epochs": 3})
    plain = training.build_model(Made(linear), 3)
    training.train(Made(linear), plain, data, settings, 5)
    hidden = trained(Made(linear), QUIET, data, settings=settings)
    for name, array in read_state(hidden).items():
        assert np.allclose(array, read_state(plain)[name], atol=1e-5), name


def test_pull_and_correction_come_after_the_noise_and_are_not_clipped() -> None:
    data = examples()
    settings = SETTINGS.model_copy(
        update={"batch_size": len(data), "algorithm": "fedprox", "proximal_mu": Decimal("0.5")}
    )
    drift = {"weight": torch.full((2, 3), 100.0), "bias": torch.zeros(2)}
    start = read_state(training.build_model(Made(linear), 3))
    anchor = {name: torch.from_numpy(each - 40) for name, each in start.items()}
    plain = read_state(trained(Made(linear), QUIET, data, settings=settings, anchor={}))
    moved = read_state(
        trained(Made(linear), QUIET, data, settings=settings, anchor=anchor, drift=drift)
    )
    # one step at 0.5: the drift of 100, and half of the way of 40 from the anchor
    assert np.allclose(moved["weight"], plain["weight"] - 50 - 10, atol=1e-3)
    assert np.allclose(moved["bias"], plain["bias"] - 10, atol=1e-3)


def test_noise_has_the_plans_deviation_and_samples_the_plans_rate() -> None:
    # 40 examples, none of which pulls anywhere: what is left is noise / batch size * rate.
    task = Made(lambda: torch.nn.Linear(100, 50, bias=False), lambda found, _: 0 * found.mean())
    data = Dataset(torch.zeros(40, 100), torch.zeros(40, dtype=torch.int64))
    privacy = PRIVACY.model_copy(
        update={"clip_norm": Decimal("0.5"), "noise_multiplier": Decimal(3)}
    )
    settings = SETTINGS.model_copy(update={"batch_size": 40, "learning_rate": Decimal(1)})
    before = read_state(training.build_model(task, 3))["weight"]
    after = read_state(trained(task, privacy, data, settings=settings))["weight"]
    moved = (after - before) * 40
    assert moved.std() == pytest.approx(1.5, rel=0.05)  # 5000 draws: 1 % is one sigma
    assert abs(moved.mean()) < 0.1
    stream = SecretStream(KEY)
    drawn = [int(stream.chosen(1_000, 32, 1_000).sum()) for _ in range(200)]
    # binomial: mean 32, standard deviation 5.57
    assert np.mean(drawn) == pytest.approx(32, abs=4 * 5.57 / math.sqrt(200))
    assert np.std(drawn) == pytest.approx(5.57, rel=0.2)
    assert stream.chosen(3, 3, 3).all()


def test_normal_numbers_are_normal_and_on_the_grid() -> None:
    grid = 2.0**-28
    drawn = SecretStream(KEY).normal(40_001, 2.0, grid)
    assert len(drawn) == 40_001
    assert np.array_equal(drawn, np.rint(drawn / grid) * grid)
    # twenty bins of equal chance; chi-square with 19 degrees of freedom is above 43.8 once in 1000
    edges = [NormalDist(0, 2).inv_cdf(share) for share in np.linspace(0.05, 0.95, 19)]
    counts = np.bincount(np.searchsorted(edges, drawn), minlength=20)
    wanted = len(drawn) / 20
    assert float(((counts - wanted) ** 2 / wanted).sum()) < 43.8


# Who can foretell it


def test_the_public_seed_tells_neither_noise_nor_sample() -> None:
    data = examples()
    one, again = (read_state(trained(Made(linear), PRIVACY, data)) for _ in range(2))
    assert not np.array_equal(one["weight"], again["weight"])
    with_key = [
        read_state(trained(Made(linear), PRIVACY, data, stream=SecretStream(KEY))) for _ in range(2)
    ]
    assert np.array_equal(with_key[0]["weight"], with_key[1]["weight"])
    assert not np.array_equal(SecretStream().take(8), SecretStream().take(8))


# What it refuses


def batch_norm() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4, track_running_stats=False),
        torch.nn.Linear(4, 2),
    )  # fmt: skip


class Centring(torch.nn.Module):
    """Subtract the batch's mean, as no layer that Opacus knows of does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x - x.mean(dim=0))


class Counting(torch.nn.Module):
    """Keep a running mean of what it saw, in a layer without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += x.detach().sum(dim=0)
        return x


def weighed(found: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(found, labels, weight=torch.tensor([1.0, 5.0]))


def summed(found: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(found, labels, reduction="sum")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Made(batch_norm), "layer"),
        (Made(lambda: torch.nn.Sequential(torch.nn.LSTM(3, 2))), "layer"),
        (Made(Centring), "depends on other examples"),
        (Made(linear, weighed), "depends on other examples"),
        (Made(linear, summed), "depends on other examples"),
        (Made(lambda: torch.nn.Sequential(Counting(), linear())), "buffer"),
    ],
)
def test_what_mixes_examples_is_refused_with_a_remedy(task: Task, message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        trained(task, PRIVACY, examples())
    assert caught.value.hint


def test_dropout_and_group_norm_are_welcome() -> None:
    task = Made(
        lambda: torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.GroupNorm(2, 4), torch.nn.Dropout(0.5), linear_of_four()
        )
    )
    assert read_state(trained(task, PRIVACY, examples()))


def linear_of_four() -> torch.nn.Module:
    return torch.nn.Linear(4, 2)


def test_a_delta_as_large_as_one_record_is_refused() -> None:
    privacy = PRIVACY.model_copy(update={"delta": Decimal("0.1")})
    with pytest.raises(DataError) as caught:
        trained(Made(linear), privacy, examples(10))
    assert caught.value.subject == "privacy.delta"
    assert read_state(trained(Made(linear), privacy, examples(9)))


# With the rest


@pytest.mark.parametrize("algorithm", ["scaffold", "ditto", "personal"])
def test_what_is_made_of_a_noisy_model_is_made_of_nothing_else(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With noise far above any gradient, data do not show in anything that is kept or sent."""
    monkeypatch.setattr(private, "SecretStream", lambda: SecretStream(KEY))
    loud = PRIVACY.model_copy(update={"noise_multiplier": Decimal(1_000)})
    one, other = (
        sent_of(algorithm, examples(), loud),
        sent_of(algorithm, Dataset(-5 * examples().features, examples().labels), loud),
    )
    assert one.keys() == other.keys()
    for name, value in one.items():
        # a thousandth of the noise, over a few steps
        assert np.allclose(value, other[name], rtol=0.02, atol=5), name
        assert np.abs(value).max() > 20, name


def sent_of(algorithm: str, data: Dataset, privacy: PrivacySection) -> dict[str, Any]:
    task = Made(linear)
    base = read_state(training.build_model(task, 3))
    control = {name: np.zeros_like(each) for name, each in base.items()}
    terms = LocalTerms(privacy=privacy)
    settings = SETTINGS
    if algorithm == "scaffold":
        settings = settings.model_copy(update={"algorithm": "scaffold"})
        terms = LocalTerms(privacy=privacy, control=control)
    if algorithm == "personal":
        terms = LocalTerms(privacy=privacy, personal=("bias",))
        base.pop("bias")
    if algorithm == "ditto":
        beside = LocalTerms().beside.model_copy(update={"method": "ditto", "pull": Decimal(1)})
        terms = LocalTerms(privacy=privacy, beside=beside)
    result = local.work(task, data, base, settings, 5, terms)
    sent = {f"update/{name}": each for name, each in result.update.items()}
    if algorithm == "scaffold":
        sent |= {f"control/{name}": each for name, each in result.control.items()}
    if algorithm == "personal":
        sent |= {f"kept/{name}": each for name, each in result.kept.items()}
    return sent


def test_trainer_says_what_noise_an_update_holds(tmp_path: Path) -> None:
    sites, _ = even("digits", 10).write(tmp_path)
    settings = TrainingSection(local_epochs=2, batch_size=32, learning_rate=Decimal("0.5"))
    with Trainer("digits", sites[0]) as trainer:
        base = trainer.initial_model(1)
        result = trainer.train(base, settings, derive_seed(1), LocalTerms(privacy=PRIVACY))
        plain = trainer.train(base, settings, derive_seed(1))
    examples_here = result.examples
    steps = 2 * math.ceil(examples_here / 32)
    assert result.noise == NoisySteps(examples_here, 32, Decimal(1), steps)
    assert plain.noise is None
    # the noise alone is 1 / 32 * 0.5 a step and value
    moved = np.concatenate([each.ravel() for each in result.update.values()])
    assert moved.std() == pytest.approx(0.5 / 32 * math.sqrt(steps), rel=0.3)


def test_steps_that_the_account_does_not_know_are_refused() -> None:
    answer: dict[str, object] = {"examples": 12, "steps": 3}
    assert _noise(answer, SETTINGS, PRIVACY) == NoisySteps(12, 4, Decimal(1), 3)
    for steps in (0, 2, 4):
        with pytest.raises(TaskError) as caught:
            _noise(answer | {"steps": steps}, SETTINGS, PRIVACY)
        assert caught.value.expected == 3


def test_without_opacus_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opacus.grad_sample", None)
    with pytest.raises(SettingsError) as caught:
        trained(Made(linear), PRIVACY, examples())
    assert "fednet[privacy]" in caught.value.hint


def test_digits_learn_as_in_plain_opacus(tmp_path: Path) -> None:
    """A slice of `benchmarks/private.py`: one site, a few epochs, same noise."""
    sites, held_out = even("digits", 1).write(tmp_path)
    task = built_in_task("digits")
    data, judged = task.load(sites[0]), task.load(held_out)
    settings = TrainingSection(local_epochs=6, batch_size=64, learning_rate=Decimal(2))
    model = training.build_model(task, 1)
    private.train(task, model, data, settings, PRIVACY, 1)
    ours = training.judge(task, model, judged)["accuracy"]
    theirs = plain_opacus(task, data, judged, settings, PRIVACY)
    assert ours > 0.7
    assert ours == pytest.approx(theirs, abs=0.06)


def plain_opacus(
    task: Task, data: Dataset, judged: Dataset, settings: TrainingSection, privacy: PrivacySection
) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opacus import PrivacyEngine

        model = training.build_model(task, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=float(settings.learning_rate))
        batches = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(data.features, data.labels), settings.batch_size
        )
        model, optimizer, batches = PrivacyEngine().make_private(
            module=model, optimizer=optimizer, data_loader=batches,
            noise_multiplier=float(privacy.noise_multiplier),
            max_grad_norm=float(privacy.clip_norm),
        )  # fmt: skip
        for _ in range(settings.local_epochs):
            for features, labels in batches:
                optimizer.zero_grad()
                functional.cross_entropy(model(features), labels).backward()
                optimizer.step()
        return training.judge(task, model, judged)["accuracy"]
