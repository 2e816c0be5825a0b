"""Plain PyTorch doing the same learning in one process: what fednet is compared with.

No sandbox, no chain, no store: for the demo, the benchmarks and the tests, on
tasks that are trusted. The three functions share their start, their settings
and the number of passes over the data, so that their metrics can be compared.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import torch

from fednet.domain.sections import TrainingSection
from fednet.learning import tasks, training
from fednet.learning.task import Dataset, Task
from fednet.learning.values import derive_seed

Metrics = dict[str, float]


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
) -> list[Metrics]:
    """Run FedAvg over the sites in one process; metrics after every round."""
    training.make_deterministic()
    sites, test = [task.load(path) for path in data], task.load(held_out)
    total = sum(len(site) for site in sites)
    model = training.build_model(task, seed)
    history = []
    for number in range(1, rounds + 1):
        base = {name: value.clone() for name, value in model.state_dict().items()}
        mean = {name: torch.zeros_like(value) for name, value in base.items()}
        for place, site in enumerate(sites):
            model.load_state_dict(base)
            training.train(task, model, site, settings, derive_seed(seed, number, place))
            for name, value in model.state_dict().items():
                mean[name] += value * (len(site) / total)
        model.load_state_dict(mean)
        history.append(training.judge(task, model, test))
    return history


def _train_here(
    task: Task, data: Dataset, test: Dataset, settings: TrainingSection, rounds: int, seed: int
) -> list[Metrics]:
    training.make_deterministic()
    model = training.build_model(task, seed)
    history = []
    for number in range(1, rounds + 1):
        training.train(task, model, data, settings, derive_seed(seed, number, "here"))
        history.append(training.judge(task, model, test))
    return history
