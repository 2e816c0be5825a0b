"""Learn with hostile sites in one process: plain training, real files, the real recomputation."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import torch

from fednet.audit import PreviousRound, RoundInputs, combine
from fednet.codec import write_state, write_update
from fednet.domain.events import Log, UpdateSubmitted
from fednet.domain.identity import Address, Commitment, Digest, Locator, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.sections import (
    AggregationSection,
    CohortSection,
    ModelSection,
    TaskSection,
    TrainingSection,
    UpdateSection,
)
from fednet.domain.tensors import FloatArray, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA, Manifest, Place
from fednet.errors import AggregationError, TrainingError
from fednet.learning import baseline, partition, state, training
from fednet.learning.hostile import ATTACKS, flipped
from fednet.learning.task import Dataset
from fednet.learning.values import derive_seed

TASK = "digits"
CLASSES = 10
SITES = 11
HOSTILE = 2
CONTRACT = Address("0x" + "11" * 20)
_ZEROS = Digest(bytes(32))
_WIDE_NORM = Decimal(10**12)
"""So wide that only the rule stands between a hostile update and the model."""


@dataclass(frozen=True, slots=True)
class Fight:
    """One run with hostile sites."""

    aggregation: AggregationSection
    attack: str
    alpha: float
    """Of the Dirichlet distribution that deals the records; 0 deals them evenly."""
    seed: int
    rounds: int
    training: TrainingSection


Trained = tuple[dict[str, FloatArray], int]
"""A difference, and the steps that it took."""
Memory = dict[tuple[object, ...], Trained]


class Arena:
    """Play a fight round by round in a folder.

    Args:
        fight: What is played.
        folder: Existing folder for its files.
        memory: What sites trained before, shared by fights of equal training.
    """

    def __init__(self, fight: Fight, folder: Path, memory: Memory | None = None) -> None:
        training.make_deterministic()
        self._fight = fight
        self._attack = ATTACKS[fight.attack]
        self._folder = folder
        self._memory = memory
        self._task = baseline.built_in_task(TASK)
        paths, held_out = _deal(fight).write(folder / "data")
        sites = [self._task.load(path) for path in paths]
        self._counts = [len(site) for site in sites]
        self._sites = [*sites[:-HOSTILE], *(self._spoilt(site) for site in sites[-HOSTILE:])]
        self._test = self._task.load(held_out)
        self._model = training.build_model(self._task, fight.seed)
        self._base = state.read_state(self._model)
        commitment = write_state(folder / "base", self._base)
        self._plan = _plan(fight, commitment, self._base, max(self._counts))
        self._previous = PreviousRound(Commitment(bytes(32)), commitment, folder / "base", {})

    def play(self) -> list[float]:
        """Play every round; return the accuracy after each, none after the model is beyond use."""
        history: list[float] = []
        for number in range(1, self._fight.rounds + 1):
            try:
                self._round(RoundNumber(number))
            except (AggregationError, TrainingError):
                break
            history.append(training.judge(self._task, self._model, self._test)["accuracy"])
        return history

    def _round(self, number: RoundNumber) -> None:
        place = Place(1337, CONTRACT, RunId(1), number, 1)
        trained = [self._train(number, at) for at in range(SITES)]
        honest = [arrays for arrays, _ in trained[:-HOSTILE]]
        submissions, paths = [], {}
        for at, (arrays, steps) in enumerate(trained):
            site, examples = SiteId(at + 1), self._counts[at]
            if at >= SITES - HOSTILE:
                draw = np.random.default_rng(derive_seed(self._fight.seed, number, at, "hostile"))
                arrays = self._attack.strike(arrays, honest, draw)
                # The ledger takes no more than the plan's cap, whatever is claimed.
                most = self._plan.update.maximum_examples
                examples = min(examples * self._attack.claimed, most)
            path = self._folder / f"update-{site}"
            manifest = Manifest(place, site, self._previous.state, examples, _ZEROS, steps)
            commitment = write_update(path, arrays, manifest, self._plan.update)
            log = Log(number, at, _ZEROS, CONTRACT)
            submissions.append(
                UpdateSubmitted(
                    log, RunId(1), number, site, 1, 0, commitment, examples, _locator(path)
                )
            )
            paths[site] = path
        inputs = RoundInputs(self._plan, place, self._previous, submissions, paths, CONTRACT, SITES)
        combined = combine(inputs, _locator, self._folder, 1)
        self._base, _ = decode_tensors(combined.state_path.read_bytes(), "state")
        path = combined.state_path.replace(self._folder / "base")
        self._previous = PreviousRound(self._previous.record, combined.state, path, {})
        state.write_state(self._model, self._base)

    def _train(self, number: RoundNumber, at: int) -> Trained:
        fight, is_spoilt = self._fight, at >= SITES - HOSTILE and self._attack.flips_labels
        key = (fight.seed, fight.alpha, number, at, is_spoilt, self._previous.state)
        if self._memory is None:
            return self._train_anew(number, at)
        if key not in self._memory:
            self._memory[key] = self._train_anew(number, at)
        return self._memory[key]

    def _train_anew(self, number: RoundNumber, at: int) -> Trained:
        state.write_state(self._model, self._base)
        seed = derive_seed(self._fight.seed, number, at)
        done = training.train(self._task, self._model, self._sites[at], self._fight.training, seed)
        after = state.read_state(self._model)
        return {name: after[name] - self._base[name] for name in after}, done.steps

    def _spoilt(self, data: Dataset) -> Dataset:
        if not self._attack.flips_labels:
            return data
        return Dataset(data.features, torch.from_numpy(flipped(data.labels.numpy(), CLASSES)))


def play(fight: Fight, memory: Memory | None = None) -> list[float]:
    """Play a fight in a folder of its own, in memory where that can be."""
    disk = Path("/dev/shm")  # noqa: S108
    parent = disk if disk.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fednet-arena-", dir=parent) as folder:
        return Arena(fight, Path(folder), memory).play()


def _deal(fight: Fight) -> partition.Split:
    if fight.alpha:
        return partition.dirichlet(TASK, SITES, fight.alpha, fight.seed)
    return partition.even(TASK, SITES, fight.seed)


def _plan(
    fight: Fight, commitment: Commitment, model: Mapping[str, FloatArray], most_examples: int
) -> Plan:
    return Plan(
        name="fight",
        rounds=fight.rounds,
        task=TaskSection(source=TASK, digest="0" * 64),
        model=ModelSection(
            commitment=str(commitment), size_bytes=len(encode_tensors(model, STATE_METADATA))
        ),
        training=fight.training,
        cohort=CohortSection(
            minimum_sites=SITES, target_sites=SITES, maximum_sites=SITES, minimum_updates=2
        ),
        update=UpdateSection(maximum_examples=most_examples, maximum_norm=_WIDE_NORM),
        aggregation=fight.aggregation,
    )


def _locator(path: Path) -> Locator:
    return Locator(bytes(32))


def last(history: Sequence[float]) -> float:
    """Return the accuracy at the end; that of guessing if no round ended."""
    return history[-1] if history else 1 / CLASSES
