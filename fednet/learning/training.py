"""The steps of local training: plain SGD, with a pull (FedProx) or a correction (SCAFFOLD).

FedAvg: McMahan et al., https://arxiv.org/abs/1602.05629; FedProx: Li et al.,
https://arxiv.org/abs/1812.06127; SCAFFOLD: Karimireddy et al.,
https://arxiv.org/abs/1910.06378. What of a model is trained, and against which
correction, is decided in `local`.

Everything random comes from one seed, and torch is held to deterministic
algorithms and one thread, so that a repeated call returns the same bytes on
the same machine. https://docs.pytorch.org/docs/stable/notes/randomness.html
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from fednet.domain.sections import TrainingSection
from fednet.errors import TaskError, TrainingError
from fednet.learning.task import Dataset, Task


def make_deterministic() -> None:
    """Hold this process to one thread and to algorithms that repeat."""
    torch.set_num_threads(1)
    # torch.use_deterministic_algorithms imports torch's compiler, which takes seconds, to tell
    # it the same; where a task compiles, the variable does.
    torch.set_deterministic_debug_mode("error")
    os.environ["TORCHINDUCTOR_DETERMINISTIC"] = "1"


def seed_everything(seed: int) -> None:
    """Seed every source of randomness that a task may draw from."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    # torch.manual_seed also notes, at some cost, what to do once an accelerator is there.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def build_model(task: Task, seed: int) -> torch.nn.Module:
    """Build the task's model from a seed.

    Raises:
        TaskError: The task gave something else.
    """
    seed_everything(seed)
    model = task.model()
    if not isinstance(model, torch.nn.Module):
        raise TaskError("model() gave something else", expected="a torch.nn.Module")
    return model


@dataclass(frozen=True, slots=True)
class Trained:
    """Say what training did."""

    loss: float
    """Mean over the last epoch's examples."""
    steps: int
    """Optimiser steps."""


def train(
    task: Task,
    model: torch.nn.Module,
    data: Dataset,
    settings: TrainingSection,
    seed: int,
    *,
    fixed: Collection[str] = (),
    anchor: Mapping[str, torch.Tensor] | None = None,
    drift: Mapping[str, torch.Tensor] | None = None,
) -> Trained:
    """Train a model in place.

    No epoch leaves the model as it is, with a loss of 0.

    Args:
        task: Gives the loss.
        model: Changed in place; its parameters require gradients again afterwards.
        data: Examples to train on.
        settings: How to train.
        seed: Decides the order of examples and whatever the task draws.
        fixed: Tensors that keep their values, buffers included.
        anchor: Where FedProx's pull goes to, by parameter; the model as it is unless
            given. What it lacks is not pulled.
        drift: Added to the gradients of a step (SCAFFOLD), by parameter.

    Raises:
        TrainingError: The loss, or a value at the end, is not finite; or nothing may be trained.
    """
    seed_everything(seed)
    order = torch.Generator().manual_seed(seed)
    held, trained = split(model, fixed)
    if anchor is None:
        anchor = {name: value.detach().clone() for name, value in trained.items()}
    pairs = [(value, anchor[name]) for name, value in trained.items() if name in anchor]
    pull = float(settings.proximal_mu)
    descent = Descent(trained.values(), float(settings.learning_rate), float(settings.momentum))
    model.train()
    total, steps = 0.0, 0
    with holding(model, held):
        for epoch in range(1, settings.local_epochs + 1):
            total = 0.0
            rows_of = torch.split(torch.randperm(len(data), generator=order), settings.batch_size)
            for rows in rows_of:
                descent.forget_gradients()
                loss = task.loss(model, data.rows(rows))
                total += _finite(loss, epoch) * len(rows)
                if pull and pairs:
                    loss = loss + _pull(pairs, pull)
                loss.backward()  # type: ignore[no-untyped-call]
                correct(trained, drift)
                descent.step()
                steps += 1
    require_finite(model)
    return Trained(total / len(data), steps)


def split(
    model: torch.nn.Module, fixed: Collection[str]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.nn.Parameter]]:
    """Return copies of what training leaves as it is, and the parameters that it changes.

    Raises:
        TrainingError: Nothing may be trained.
    """
    held = {name: model.state_dict()[name].detach().clone() for name in sorted(fixed)}
    trained = {name: value for name, value in model.named_parameters() if name not in held}
    if not trained:
        raise TrainingError("no parameter may be trained", expected="a parameter that travels")
    return held, trained


def judge(task: Task, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
    """Return the task's metrics of a model on data.

    Raises:
        TaskError: The task gave something else than named numbers.
    """
    model.eval()
    with torch.no_grad():
        found = task.metrics(model, data)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise TaskError("metrics() gave something else", expected="numbers by name")
    return {name: float(found[name]) for name in sorted(found)}


class Descent:
    """Take the steps of `torch.optim.SGD`, bit for bit, without what importing it costs.

    The first optimiser of a process imports torch's compiler, which takes as long as torch.
    """

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], rate: float, momentum: float
    ) -> None:
        self._parameters = tuple(parameters)
        self._rate = rate
        self._momentum = momentum
        self._moving: dict[int, torch.Tensor] = {}

    def forget_gradients(self) -> None:
        """Start a step."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Follow the gradients; what has none stays where it is."""
        for number, parameter in enumerate(self._parameters):
            change = parameter.grad
            if change is None:
                continue
            if self._momentum:
                before = self._moving.get(number)
                if before is None:
                    self._moving[number] = change.detach().clone()
                else:
                    before.mul_(self._momentum).add_(change)
                change = self._moving[number]
            parameter.add_(change, alpha=-self._rate)


@contextmanager
def holding(model: torch.nn.Module, held: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Leave some tensors out of training; what the task's code did to them is undone."""
    fixed = [value for name, value in model.named_parameters() if name in held]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)
        with torch.no_grad():
            state = model.state_dict()
            for name, value in held.items():
                state[name].copy_(value)


def correct(
    trained: Mapping[str, torch.nn.Parameter], drift: Mapping[str, torch.Tensor] | None
) -> None:
    """Take the site's drift out of the gradients."""
    for name, correction in (drift or {}).items():
        parameter = trained.get(name)
        if parameter is not None and parameter.grad is not None:
            parameter.grad.add_(correction)


def _pull(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], weight: float) -> torch.Tensor:
    """Return FedProx's term, half of mu times the squared distance from the anchor."""
    squares = [((parameter - origin) ** 2).sum() for parameter, origin in pairs]
    return torch.stack(squares).sum() * (weight / 2)


def _finite(loss: torch.Tensor, epoch: int) -> float:
    """Return the value of a loss that can be descended."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise TaskError("loss() gave something else", expected="a scalar tensor")
    return require_finite_loss(float(loss.detach()), epoch)


def require_finite_loss(value: float, epoch: int) -> float:
    """Return a loss that is a finite number.

    Raises:
        TrainingError: It is none.
    """
    if not math.isfinite(value):
        raise TrainingError(
            "the loss is not finite",
            subject=f"epoch {epoch}",
            actual=value,
            hint="lower the plan's learning rate, or check the data for outliers",
        )
    return value


def require_finite(model: torch.nn.Module) -> None:
    """Raise unless every tensor of a model is finite.

    Raises:
        TrainingError: One is not.
    """
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise TrainingError(
                "training ended in a value that is not finite",
                subject=name,
                hint="lower the plan's learning rate",
            )
