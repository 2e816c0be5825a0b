"""Train locally: plain SGD (FedAvg), or SGD with a pull to the start (FedProx).

FedAvg: McMahan et al., https://arxiv.org/abs/1602.05629; FedProx: Li et al.,
https://arxiv.org/abs/1812.06127.

Everything random comes from one seed, and torch is held to deterministic
algorithms and one thread, so that a repeated call returns the same bytes on
the same machine. https://docs.pytorch.org/docs/stable/notes/randomness.html
"""

from __future__ import annotations

import random

import numpy as np
import torch

from fednet.domain.sections import TrainingSection
from fednet.errors import TaskError, TrainingError
from fednet.learning.task import Dataset, Task


def make_deterministic() -> None:
    """Hold this process to one thread and to algorithms that repeat."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def seed_everything(seed: int) -> None:
    """Seed every source of randomness that a task may draw from."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.manual_seed(seed)


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


def train(
    task: Task, model: torch.nn.Module, data: Dataset, settings: TrainingSection, seed: int
) -> float:
    """Train a model in place and return the last epoch's mean loss per example.

    No epoch leaves the model as it is, with a loss of 0.

    Raises:
        TrainingError: The loss, or a parameter at the end, is not finite.
    """
    seed_everything(seed)
    order = torch.Generator().manual_seed(seed)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=float(settings.learning_rate),
        momentum=float(settings.momentum),
    )
    pull = float(settings.proximal_mu)
    model.train()
    total = 0.0
    for epoch in range(1, settings.local_epochs + 1):
        total = 0.0
        for rows in torch.split(torch.randperm(len(data), generator=order), settings.batch_size):
            optimizer.zero_grad()
            loss = _finite_loss(task.loss(model, data.rows(rows)), epoch)
            total += float(loss.detach()) * len(rows)
            (loss + _pull(model, start, pull)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    _require_finite(model)
    return total / len(data)


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


def _pull(model: torch.nn.Module, start: list[torch.Tensor], weight: float) -> torch.Tensor:
    """Return FedProx's term, half of mu times the squared distance from the start."""
    if weight == 0:
        return torch.zeros(())
    squares = [
        ((parameter - origin) ** 2).sum()
        for parameter, origin in zip(model.parameters(), start, strict=True)
    ]
    return torch.stack(squares).sum() * (weight / 2)


def _finite_loss(loss: torch.Tensor, epoch: int) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise TaskError("loss() gave something else", expected="a scalar tensor")
    if not torch.isfinite(loss).all():
        raise TrainingError(
            "the loss is not finite",
            subject=f"epoch {epoch}",
            actual=float(loss.detach()),
            hint="lower the plan's learning rate, or check the data for outliers",
        )
    return loss


def _require_finite(model: torch.nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise TrainingError(
                "training ended in a value that is not finite",
                subject=name,
                hint="lower the plan's learning rate",
            )
