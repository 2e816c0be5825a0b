"""Plain PyTorch doing the same learning in one process: what fednet is compared with.

No sandbox, no chain, no store, no byte forms, and none of fednet's training or
aggregation code: loops as anybody would write them, over torch's own
optimisers where torch has them. For the demo, the benchmarks and the tests, on
tasks that are trusted. The functions share their start, their settings and the
number of passes over the data, so that their metrics can be compared.
"""

from __future__ import annotations

import copy
import importlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from fednet.domain.sections import ServerSection, TrainingSection
from fednet.learning import tasks
from fednet.learning.task import Dataset, Task
from fednet.learning.values import derive_seed

Metrics = dict[str, float]
SeedOf = Callable[[int, int], int]
"""From round and place of a site, both from 1, to the seed of its training."""
_Tensors = list[torch.Tensor]
_Correct = Callable[[Sequence[torch.nn.Parameter]], None]
"""Changes the gradients of a step before it is taken."""


def built_in_task(name: str) -> Task:
    """Make a task that ships with fednet."""
    module, class_name = tasks.BUILT_IN[name]
    task = getattr(importlib.import_module(f"{tasks.__name__}.{module}"), class_name)()
    if not isinstance(task, Task):
        raise TypeError(f"{name} is not a task")
    return task


def alone(
    task: Task, data: Path, held_out: Path, settings: TrainingSection, rounds: int, seed: int
) -> list[Metrics]:
    """Train on one site's data only; metrics on the held-out data after every round."""
    return _train_here(task, task.load(data), task.load(held_out), settings, rounds, seed)


def pooled(
    task: Task,
    data: Sequence[Path],
    held_out: Path,
    settings: TrainingSection,
    rounds: int,
    seed: int,
) -> list[Metrics]:
    """Train on all sites' data in one place, which is what privacy forbids."""
    loaded = [task.load(path) for path in data]
    together = Dataset(
        torch.cat([part.features for part in loaded]), torch.cat([part.labels for part in loaded])
    )
    return _train_here(task, together, task.load(held_out), settings, rounds, seed)


def federated(
    task: Task,
    data: Sequence[Path],
    held_out: Path,
    settings: TrainingSection,
    rounds: int,
    seed: int,
    *,
    server: ServerSection | None = None,
    seed_of: SeedOf | None = None,
) -> list[Metrics]:
    """Run a federated algorithm over the sites in one process; metrics after every round.

    Args:
        task: What is learnt; a model without buffers.
        data: Each site's file.
        held_out: What the metrics are taken on.
        settings: FedAvg, FedProx or SCAFFOLD at the sites.
        rounds: How many.
        seed: Of the initial model.
        server: The optimiser that takes the mean; none unless given.
        seed_of: Seeds of local training; from ``seed``, round and place unless given.

    Raises:
        ValueError: An optimiser for which torch has no counterpart with this momentum.
    """
    _settle()
    sites, test = [task.load(path) for path in data], task.load(held_out)
    shares = [len(site) / sum(len(each) for each in sites) for site in sites]
    model = _fresh(task, seed)
    world = [value.detach() for value in model.parameters()]
    step = _server_step(world, server or ServerSection())
    control = [torch.zeros_like(value) for value in world]
    own = [[torch.zeros_like(value) for value in world] for _ in sites]
    seeds = seed_of or (lambda number, place: derive_seed(seed, number, place - 1))
    history = []
    for number in range(1, rounds + 1):
        mean = [torch.zeros_like(value) for value in world]
        drift = [torch.zeros_like(value) for value in world]
        for place, site in enumerate(sites):
            local = copy.deepcopy(model)
            correct = _correction(settings, world, control, own[place])
            steps = _train(task, local, site, settings, seeds(number, place + 1), correct)
            moved = [new.detach() - old for new, old in zip(local.parameters(), world, strict=True)]
            _add(mean, moved, shares[place])
            if settings.algorithm == "scaffold" and steps:
                rate = steps * float(settings.learning_rate)
                new = [
                    mine - everyone - change / rate
                    for mine, everyone, change in zip(own[place], control, moved, strict=True)
                ]
                changes = [after - mine for after, mine in zip(new, own[place], strict=True)]
                _add(drift, changes, shares[place])
                own[place] = new
        step(mean)
        _add(control, drift, 1.0)
        history.append(_judge(task, model, test))
    return history


def _correction(
    settings: TrainingSection, world: _Tensors, control: _Tensors, own: _Tensors
) -> _Correct | None:
    """Return what FedProx or SCAFFOLD does to a gradient."""
    if settings.algorithm == "fedavg":
        return None
    start = [value.clone() for value in world]
    pull = float(settings.proximal_mu)

    def prox(parameters: Sequence[torch.nn.Parameter]) -> None:
        for value, origin in zip(parameters, start, strict=True):
            if value.grad is not None:
                value.grad += pull * (value.detach() - origin)

    def scaffold(parameters: Sequence[torch.nn.Parameter]) -> None:
        for value, everyone, mine in zip(parameters, control, own, strict=True):
            if value.grad is not None:
                value.grad += everyone - mine

    return prox if settings.algorithm == "fedprox" else scaffold


def _server_step(world: _Tensors, server: ServerSection) -> Callable[[_Tensors], None]:
    """Return what takes the mean difference into the global parameters, in place."""
    rate, tau = float(server.learning_rate), float(server.adaptivity)
    first, second = float(server.momentum), float(server.second_momentum)
    optimizer: torch.optim.Optimizer
    if server.optimizer in ("none", "fedavgm"):
        momentum = first if server.optimizer == "fedavgm" else 0.0
        optimizer = torch.optim.SGD(world, lr=rate, momentum=momentum)
    elif server.optimizer == "fedadagrad" and first == 0:
        optimizer = torch.optim.Adagrad(world, lr=rate, eps=tau)
    elif server.optimizer == "fedadam":
        optimizer = torch.optim.Adam(world, lr=rate, betas=(first, second), eps=tau)
    elif server.optimizer == "fedyogi":
        return _yogi(world, server)
    else:
        raise ValueError(f"torch has no {server.optimizer} with momentum {first}")
    count = 0

    def step(mean: _Tensors) -> None:
        nonlocal count
        count += 1
        if server.optimizer == "fedadam":
            # Reddi et al. do not correct the bias that torch's Adam corrects.
            wide = math.sqrt(1 - second**count)
            optimizer.param_groups[0]["lr"] = rate * (1 - first**count) / wide
            optimizer.param_groups[0]["eps"] = tau / wide
        for value, change in zip(world, mean, strict=True):
            value.grad = -change
        optimizer.step()

    return step


def _yogi(world: _Tensors, server: ServerSection) -> Callable[[_Tensors], None]:
    """Return FedYogi's step (Reddi et al., 2021), for which torch has no optimiser."""
    rate, tau = float(server.learning_rate), float(server.adaptivity)
    first, second = float(server.momentum), float(server.second_momentum)
    moments = [torch.zeros_like(value) for value in world]
    squares = [torch.zeros_like(value) for value in world]

    def step(mean: _Tensors) -> None:
        for value, change, m, v in zip(world, mean, moments, squares, strict=True):
            m.mul_(first).add_(change, alpha=1 - first)
            v.sub_((1 - second) * change**2 * torch.sign(v - change**2))
            value.add_(rate * m / (v.sqrt() + tau))

    return step


def _add(total: _Tensors, values: _Tensors, share: float) -> None:
    for place, value in zip(total, values, strict=True):
        place.add_(value, alpha=share)


def _train_here(
    task: Task, data: Dataset, test: Dataset, settings: TrainingSection, rounds: int, seed: int
) -> list[Metrics]:
    _settle()
    model = _fresh(task, seed)
    history = []
    for number in range(1, rounds + 1):
        start = [value.detach().clone() for value in model.parameters()]
        zeros = [torch.zeros_like(value) for value in start]
        correct = _correction(settings, start, zeros, zeros)
        _train(task, model, data, settings, derive_seed(seed, number, "here"), correct)
        history.append(_judge(task, model, test))
    return history


def _train(
    task: Task,
    model: torch.nn.Module,
    data: Dataset,
    settings: TrainingSection,
    seed: int,
    correct: _Correct | None,
) -> int:
    """Take the steps of some epochs; return how many."""
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(
        parameters, lr=float(settings.learning_rate), momentum=float(settings.momentum)
    )
    model.train()
    steps = 0
    for _ in range(settings.local_epochs):
        for rows in torch.split(torch.randperm(len(data), generator=order), settings.batch_size):
            optimizer.zero_grad()
            task.loss(model, data.rows(rows)).backward()  # type: ignore[no-untyped-call]
            if correct is not None:
                correct(parameters)
            optimizer.step()
            steps += 1
    return steps


def _judge(task: Task, model: torch.nn.Module, data: Dataset) -> Metrics:
    model.eval()
    with torch.no_grad():
        return task.metrics(model, data)


def _fresh(task: Task, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return task.model()


def _settle() -> None:
    """Hold this process to one thread and to algorithms that repeat."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
