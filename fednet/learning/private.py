"""Local training that hides each record: DP-SGD, with FedProx's pull and SCAFFOLD's correction.

Abadi et al., 2016, https://arxiv.org/abs/1607.00133. In each step every example is
drawn by itself (Poisson sampling, with a chance of batch_size / examples); its gradient
is clipped to `privacy.clip_norm`; normal noise with a standard deviation of
clip_norm * noise_multiplier is added to the sum, and the result divided by batch_size.
Only then come the pull and the correction, momentum and the step, which know nothing of
the data but that noisy sum. So the whole model that comes out is covered, and
whatever is made of it: the update, a control variate, local heads, what a codec lost.

Noise and samples come from a secret stream, not from the plan's seed, which
everybody knows. **A repeated training gives other bytes**, and is another expense.
The task's code sees the data and the model; it is trusted not to betray them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch

from fednet.domain.privacy import noise_of_training
from fednet.domain.sections import PrivacySection, TrainingSection
from fednet.errors import DataError, TaskError
from fednet.learning import training
from fednet.learning.secrecy import SecretStream
from fednet.learning.single import single_gradients
from fednet.learning.task import Dataset, Task
from fednet.learning.training import Trained

_GRID_BITS = 28
"""How much finer the grid of noise is than its standard deviation."""


def train(
    task: Task,
    model: torch.nn.Module,
    data: Dataset,
    settings: TrainingSection,
    privacy: PrivacySection,
    seed: int,
    *,
    fixed: Collection[str] = (),
    anchor: Mapping[str, torch.Tensor] | None = None,
    drift: Mapping[str, torch.Tensor] | None = None,
    stream: SecretStream | None = None,
) -> Trained:
    """Train a model in place; arguments and errors beyond these are those of `training.train`.

    Args:
        task: Gives the loss, the plain mean over a batch's examples.
        model: Changed in place.
        data: Examples to train on.
        settings: How to train.
        privacy: How much of one example a step may show.
        seed: Decides what the task draws; neither samples nor noise.
        fixed: As there.
        anchor: As there.
        drift: As there.
        stream: Where samples and noise come from; only tests give one.

    Raises:
        SettingsError: Opacus is not installed.
        TaskError: A layer or the loss mixes examples, or training changes a buffer.
        DataError: The promised delta is no promise for so many examples.
    """
    require_delta(privacy, len(data))
    training.seed_everything(seed)
    secret = stream or SecretStream()
    held, trained = training.split(model, fixed)
    buffers = {name: each.clone() for name, each in model.named_buffers()}
    pull = float(settings.proximal_mu)
    if anchor is None:
        anchor = {name: value.detach().clone() for name, value in trained.items()}
    descent = training.Descent(
        trained.values(), float(settings.learning_rate), float(settings.momentum)
    )
    values = sum(each.numel() for each in trained.values())
    mechanism = _Mechanism(privacy, settings.batch_size, values, secret)
    steps = noise_of_training(settings, privacy, len(data)).steps
    total = 0.0
    with training.holding(model, held), single_gradients(task, model, trained) as gradients:
        gradients.require_sound(data)
        for epoch in range(1, settings.local_epochs + 1):
            total, drawn = 0.0, 0
            for _ in range(steps // settings.local_epochs):
                rows = _sample(secret, len(data), settings.batch_size)
                summed, losses = gradients.clipped_sum(data.rows(rows), mechanism.norm)
                total += training.require_finite_loss(losses, epoch)
                drawn += len(rows)
                for name, parameter in trained.items():
                    parameter.grad = mechanism.noisy_mean(summed[name])
                if pull:
                    _pull(trained, anchor, pull)
                training.correct(trained, drift)
                descent.step()
            total /= max(1, drawn)
    for name, each in model.named_buffers():
        if name not in held and not torch.equal(each, buffers[name]):
            raise TaskError(
                "training changed a buffer, which no noise hides",
                subject=name,
                hint="keep running statistics out of the model: GroupNorm, or "
                "track_running_stats=False",
            )
    training.require_finite(model)
    return Trained(total, steps)


def require_delta(privacy: PrivacySection, examples: int) -> None:
    """Raise unless delta is below the share of one example.

    Raises:
        DataError: Publishing one record outright, drawn at random, would keep such a promise.
    """
    if privacy.delta * examples >= 1:
        raise DataError(
            "the plan's delta is no promise for a dataset of this size",
            subject="privacy.delta",
            expected=f"below 1 / {examples}",
            actual=privacy.delta,
            hint="sit this run out; the plan needs a smaller delta",
        )


def _sample(secret: SecretStream, examples: int, batch_size: int) -> torch.Tensor:
    return torch.from_numpy(secret.chosen(examples, batch_size, examples).nonzero()[0])


class _Mechanism:
    """Make a noisy mean of clipped gradients.

    Sums are rounded to a grid before noise on the same grid is added. That moves a sum by at
    most half a step of the grid in each direction, for which the clipping norm makes room.
    """

    def __init__(
        self, privacy: PrivacySection, batch_size: int, values: int, secret: SecretStream
    ) -> None:
        self._deviation = float(privacy.clip_norm * privacy.noise_multiplier)
        self._grid = 2.0 ** (math.floor(math.log2(self._deviation)) - _GRID_BITS)
        self._batch_size = batch_size
        self._secret = secret
        self.norm = float(privacy.clip_norm) - self._grid * math.sqrt(values)

    def noisy_mean(self, summed: torch.Tensor) -> torch.Tensor:
        """Add noise to a sum; the divisor is the plan's, so that it tells nothing."""
        noise = self._secret.normal(summed.numel(), self._deviation, self._grid)
        on_grid = torch.round(summed.double() / self._grid) * self._grid
        return (
            (on_grid + torch.from_numpy(noise).reshape(summed.shape)) / self._batch_size
        ).float()


def _pull(
    trained: Mapping[str, torch.nn.Parameter], anchor: Mapping[str, torch.Tensor], weight: float
) -> None:
    """Add the gradient of FedProx's term, mu times the way from the anchor."""
    for name, parameter in trained.items():
        if name in anchor and parameter.grad is not None:
            parameter.grad.add_(parameter.detach() - anchor[name], alpha=weight)
