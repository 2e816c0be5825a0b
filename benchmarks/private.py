"""Differential privacy beside plain Opacus: accuracy at the same epsilon, on digits over ten sites.

fednet's own pieces (DP-SGD, update files, intake, aggregation) against Opacus'
`PrivacyEngine` at each site and a plain mean, which share neither noise nor sampling
nor aggregation code; both are drawn anew, so that means over repetitions are compared.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks._federation import Federation, mean, plan_of
from benchmarks._figures import is_full, show, tell
from fednet.domain.plan import Plan
from fednet.learning import partition, training
from fednet.learning.baseline import built_in_task
from fednet.learning.task import Dataset, Task
from fednet.privacy.accounting import forecast

MINUTES = 1, 9
TASK, SITES, ROUNDS = "digits", 10, 10
EPSILONS = "3", "8"
REPETITIONS = 3, 30
LOCAL = {"local_epochs": 2, "batch_size": 64, "learning_rate": "2"}
LEAST_EXAMPLES = 125
MOST_DIFFERENCE = {True: 0.02, False: 0.06}
"""By whether there are enough repetitions: one has a standard deviation of up to 0.03."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print accuracy both ways at each epsilon, and how far they are apart."""
    full = is_full(__doc__, argv)
    task = built_in_task(TASK)
    kept = True
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        paths, held_out = partition.even(TASK, SITES).write(Path(name, "data"))
        sites, test = [task.load(path) for path in paths], task.load(held_out)
        for epsilon in EPSILONS:
            plan = private_plan(epsilon)
            ours, theirs = [], []
            for repetition in range(REPETITIONS[full]):
                ours.append(federated(plan, sites, test, Path(name)))
                theirs.append(with_opacus(task, plan, sites, test))
                tell("private", f"epsilon {epsilon}: {repetition + 1} of {REPETITIONS[full]}")
            at = f"{SITES} sites, epsilon {epsilon}, {ROUNDS} rounds, mean of {len(ours)}"
            show("private", f"accuracy of plain Opacus, {at}", round(mean(theirs), 4))
            show("private", f"accuracy, {at}", round(mean(ours), 4))
            difference = round(abs(mean(ours) - mean(theirs)), 4)
            most = MOST_DIFFERENCE[full]
            kept &= show("private", f"difference, {at}", difference, at_most=most)
    return 0 if kept else 1


def private_plan(epsilon: str) -> Plan:
    """Make a plan whose noise just keeps its promise at the smallest of the sites."""

    def with_noise(noise: str) -> Plan:
        sections: Mapping[str, Any] = {
            "training": LOCAL,
            "update": {"minimum_examples": LEAST_EXAMPLES},
            "privacy": {
                "mechanism": "dp-sgd", "clip_norm": "1", "noise_multiplier": noise,
                "epsilon": epsilon, "delta": "0.0001",
            },
        }  # fmt: skip
        return plan_of("private", TASK, ROUNDS, sections)

    least = forecast(with_noise("1"), LEAST_EXAMPLES).least_noise
    if least is None:
        raise ValueError(f"no noise keeps an epsilon of {epsilon}")
    return with_noise(str(least))


def federated(plan: Plan, sites: Sequence[Dataset], test: Dataset, folder: Path) -> float:
    """Learn by fednet's pieces; return the accuracy after the last round."""
    federation = Federation(plan, sites, folder)
    return [federation.play(test)["accuracy"] for _ in range(plan.rounds)][-1]


def with_opacus(task: Task, plan: Plan, sites: Sequence[Dataset], test: Dataset) -> float:
    """Learn as anybody would with Opacus and a mean over the sites; return the accuracy."""
    world = training.build_model(task, plan.training.seed)
    total = sum(len(site) for site in sites)
    # Opacus draws from torch's generator, which `build_model` has seeded.
    torch.seed()
    for _ in range(plan.rounds):
        moved = [torch.zeros_like(value) for value in world.parameters()]
        for site in sites:
            local = copy.deepcopy(world)
            _train_with_opacus(local, plan, site)
            for change, new, old in zip(moved, local.parameters(), world.parameters(), strict=True):
                change.add_(new.detach() - old.detach(), alpha=len(site) / total)
        with torch.no_grad():
            for value, change in zip(world.parameters(), moved, strict=True):
                value.add_(change)
    return training.judge(task, world, test)["accuracy"]


def _train_with_opacus(model: torch.nn.Module, plan: Plan, site: Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opacus import PrivacyEngine

        settings, privacy = plan.training, plan.privacy
        loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(site.features, site.labels), settings.batch_size
        )
        hooked, optimizer, batches = PrivacyEngine().make_private(
            module=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=float(settings.learning_rate)),
            data_loader=loader,
            noise_multiplier=float(privacy.noise_multiplier),
            max_grad_norm=float(privacy.clip_norm),
        )
        for _ in range(settings.local_epochs):
            for features, labels in batches:
                optimizer.zero_grad()
                loss = functional.cross_entropy(hooked(features), labels)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()


if __name__ == "__main__":
    raise SystemExit(main())
