"""What the same learning gives without a network: replayed, pooled, and each hospital alone.

`replay` does in one process what the nodes do over chain and store, but for the
masks: the same start, the same seeds, the same sum in the same ring. It ends in the
same bytes, so what it says of five seeds holds for the network.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fednet.aggregation import apply_mean
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.sections import TrainingSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.learning import baseline, derive_seed, partition, training
from fednet.learning.task import Task
from fednet.privacy.masking import FixedPoint

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
    fixed_point: FixedPoint,
) -> list[dict[str, FloatArray]]:
    """Do the rounds of a run in this process, in the clear; return the state after each."""
    training.make_deterministic()
    task = baseline.built_in_task(TASK)
    loaded = {site: task.load(path) for site, path in sites.items()}
    state, states = dict(initial), []
    for number in range(1, rounds + 1):
        updates = []
        for site, data in loaded.items():
            model = _model_of(task, state)
            training.train(task, model, data, settings, seed_of(number, site))
            update = {name: value - state[name] for name, value in _arrays_of(model).items()}
            updates.append((len(data), update))
        state = _combine(state, updates, fixed_point)
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


def over_seed(
    seed: int, hospitals: int, settings: TrainingSection, rounds: int, fixed_point: FixedPoint
) -> Scores:
    """Deal the records by a seed, and compare the three ways of learning from them."""
    training.make_deterministic()
    task = baseline.built_in_task(TASK)
    initial = _arrays_of(training.build_model(task, seed))
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        paths, held_out = partition.hospitals(hospitals, seed).write(Path(folder))
        sites = {SiteId(number): path for number, path in enumerate(paths, start=1)}

        def seed_of(number: int, site: SiteId) -> int:
            return derive_seed(seed, number, site)

        states = replay(initial, sites, settings, rounds, seed_of, fixed_point)
        pooled, alone = without_network(paths, held_out, settings, rounds, seed)
        return Scores(accuracy(states[-1], held_out), pooled, alone)


class _Flat:
    """Named arrays as the one flat vector that the rules read."""

    def __init__(self, arrays: Arrays) -> None:
        self._values = _flattened(arrays)

    @property
    def element_count(self) -> int:
        return len(self._values)

    def read_into(self, start: int, out: FloatArray) -> None:
        out[:] = self._values[start : start + len(out)]


def _combine(
    state: Arrays, updates: Sequence[tuple[int, Arrays]], fixed_point: FixedPoint
) -> dict[str, FloatArray]:
    """Add the mean of weighted updates to a state, as an unmasked sum does."""
    base, ring = _Flat(state), fixed_point.ring
    total = np.zeros(base.element_count, ring.dtype)
    encoded, mean = np.empty_like(total), np.empty(total.size, np.float64)
    for weight, update in updates:
        fixed_point.encode_into(_flattened(update), weight, encoded, "update")
        np.add(total, encoded, out=total)
    fixed_point.mean_into(total, sum(weight for weight, _ in updates), mean)
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        path = Path(folder, "state")
        shape = StateShape.plain(Layout.of(state))
        apply_mean(lambda emit: emit(0, mean), shape, base, path)
        return decode_tensors(path.read_bytes(), "state")[0]


def _flattened(arrays: Arrays) -> FloatArray:
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)])


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
