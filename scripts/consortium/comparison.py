"""What the same learning gives without a network: replayed, pooled, and each hospital alone.

`replay` does in one process exactly what the nodes do over chain and store: the
same start, the same seeds, the same order of the same additions. It ends in the
same bytes, so what it says of five seeds holds for the network.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from fednet.aggregation import Contribution, aggregate, rule_for
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.sections import AggregationSection, TrainingSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.learning import baseline, derive_seed, partition, training
from fednet.learning.task import Task

TASK = "breast-cancer"
Arrays = Mapping[str, FloatArray]
SeedOf = Callable[[int, SiteId], int]
"""From round and site to the seed of local training."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy on the common test set at the end of the last round, from 0 to 1."""

    federated: float
    pooled: float
    alone: tuple[float, ...]
    """By hospital."""

    @property
    def mean_alone(self) -> float:
        """Mean over the hospitals."""
        return statistics.mean(self.alone)

    @property
    def holds(self) -> bool:
        """Tell whether federating reached 99% of pooling and beat the mean hospital."""
        return self.federated >= 0.99 * self.pooled and self.federated > self.mean_alone


def replay(
    initial: Arrays,
    sites: Mapping[SiteId, Path],
    settings: TrainingSection,
    rounds: int,
    seed_of: SeedOf,
) -> list[dict[str, FloatArray]]:
    """Do the rounds of a run in this process; return the state after each."""
    training.make_deterministic()
    task = baseline.built_in_task(TASK)
    loaded = {site: task.load(path) for site, path in sites.items()}
    state, states = dict(initial), []
    for number in range(1, rounds + 1):
        contributions = []
        for site, data in sorted(loaded.items()):
            model = _model_of(task, state)
            training.train(task, model, data, settings, seed_of(number, site))
            update = {name: value - state[name] for name, value in _arrays_of(model).items()}
            contributions.append(Contribution(site, len(data), _Flat(update)))
        state = _combine(state, contributions)
        states.append(state)
    return states


def commitment_of(state: Arrays) -> Commitment:
    """Commit to a state as the network does."""
    return Commitment.of(encode_tensors(state, STATE_METADATA))


def accuracy(state: Arrays, held_out: Path) -> float:
    """Judge a state on the common test set."""
    task = baseline.built_in_task(TASK)
    return training.judge(task, _model_of(task, state), task.load(held_out))["accuracy"]


def without_network(
    sites: tuple[Path, ...], held_out: Path, settings: TrainingSection, rounds: int, seed: int
) -> tuple[float, tuple[float, ...]]:
    """Return the accuracy of pooling all data, and of each hospital by itself."""
    task = baseline.built_in_task(TASK)
    pooled = baseline.pooled(task, sites, held_out, settings, rounds, seed)[-1]["accuracy"]
    alone = [
        baseline.alone(task, path, held_out, settings, rounds, seed)[-1]["accuracy"]
        for path in sites
    ]
    return pooled, tuple(alone)


def over_seed(seed: int, hospitals: int, settings: TrainingSection, rounds: int) -> Scores:
    """Deal the records by a seed, and compare the three ways of learning from them."""
    training.make_deterministic()
    task = baseline.built_in_task(TASK)
    initial = _arrays_of(training.build_model(task, seed))
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        paths, held_out = partition.hospitals(hospitals, seed).write(Path(folder))
        sites = {SiteId(number): path for number, path in enumerate(paths, start=1)}
        states = replay(
            initial, sites, settings, rounds, lambda number, site: derive_seed(seed, number, site)
        )
        pooled, alone = without_network(paths, held_out, settings, rounds, seed)
        return Scores(accuracy(states[-1], held_out), pooled, alone)


class _Flat:
    """Named arrays as the one flat vector that the rules read."""

    def __init__(self, arrays: Arrays) -> None:
        self._values = np.concatenate([arrays[name].ravel() for name in sorted(arrays)])

    @property
    def element_count(self) -> int:
        return len(self._values)

    def read_into(self, start: int, out: FloatArray) -> None:
        out[:] = self._values[start : start + len(out)]


def _combine(state: Arrays, contributions: list[Contribution]) -> dict[str, FloatArray]:
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        path = Path(folder, "state")
        shape = StateShape.plain(Layout.of(state))
        choose = partial(rule_for, AggregationSection())
        aggregate(choose, shape, _Flat(state), contributions, path)
        return decode_tensors(path.read_bytes(), "state")[0]


def _model_of(task: Task, state: Arrays) -> torch.nn.Module:
    model = task.model()
    model.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return model


def _arrays_of(model: torch.nn.Module) -> dict[str, FloatArray]:
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def malignant_share(header: str, lines: tuple[str, ...]) -> float:
    """Return the share of malignant records among lines of CSV."""
    column = header.split(",").index("malignant")
    return statistics.mean(float(line.split(",")[column]) for line in lines)
