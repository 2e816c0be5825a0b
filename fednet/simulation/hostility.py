"""Hostile virtual sites: an honest trainer's update, changed on its way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fednet.airlock import Airlock, Passage
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, Place, UpdateFile
from fednet.node.ports import TrainerPort, TrainingResult
from fednet.simulation.crowd import Member
from fednet.simulation.scenario import Attack

Change = Callable[[FloatArray, np.random.Generator], FloatArray]


def _times(factor: float) -> Change:
    return lambda values, draw: (values * np.float32(factor)).astype(np.float32)


def _noise(values: FloatArray, draw: np.random.Generator) -> FloatArray:
    return draw.standard_normal(values.shape, np.float32)


def _constant(values: FloatArray, draw: np.random.Generator) -> FloatArray:
    return np.full_like(values, 100.0)


ATTACKS: dict[str, Change] = {
    "sign-flip": _times(-1.0),
    "sign-flip-10": _times(-10.0),
    "noise": _noise,
    "constant": _constant,
}
"""What a hostile site sends in the place of its update."""


class Hostility:
    """Make the last sites of a crowd hostile.

    Args:
        attack: What they do, and how many; None lets all be honest.
        members: The crowd.
        seed: Of whatever is random about it.
    """

    def __init__(self, attack: Attack | None, members: Sequence[Member], seed: int) -> None:
        self._attack = attack
        self._seed = seed
        count = attack.count if attack else 0
        self.sites = frozenset(member.site for member in members[len(members) - count :])

    def equip(self, member: Member, trainer: TrainerPort) -> tuple[TrainerPort, Airlock]:
        """Return what a site works with; a hostile one lets everything out."""
        if self._attack is None or member.site not in self.sites:
            return trainer, Airlock()
        return _HostileTrainer(trainer, ATTACKS[self._attack.name], self._seed), _OpenAirlock()


class _OpenAirlock(Airlock):
    def check(
        self,
        open_file: Callable[[], UpdateFile],
        size_bytes: int,
        shape: StateShape,
        plan: Plan,
        manifest: Manifest,
    ) -> Passage:
        return Passage(0.0, size_bytes, manifest.examples)


class _HostileTrainer:
    def __init__(self, honest: TrainerPort, change: Change, seed: int) -> None:
        self._honest = honest
        self._change = change
        self._seed = seed

    def digest(self, plan: Plan) -> Commitment:
        return self._honest.digest(plan)

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
    ) -> TrainingResult:
        result = self._honest.train(plan, base_state_path, place, site, out_dir, kept, part)
        draw = np.random.default_rng([self._seed, site, place.round])
        arrays = {name: self._change(values, draw) for name, values in result.arrays.items()}
        return replace(result, arrays=arrays)
