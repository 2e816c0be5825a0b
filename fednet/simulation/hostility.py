"""Hostile virtual sites: they know every honest update of a round, and act together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import ClassVar

import numpy as np

from fednet.airlock import Airlock, Passage
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, Place, UpdateFile
from fednet.errors import FednetError
from fednet.learning.hostile import ATTACKS
from fednet.learning.hostile import Attack as Deed
from fednet.node.ports import TrainerPort, TrainingResult
from fednet.simulation.crowd import Member
from fednet.simulation.scenario import Attack


class HonestFirstError(FednetError):
    """Report that a hostile site waits for the updates that it wants to know."""

    retryable: ClassVar[bool] = True


class Hostility:
    """Make the last sites of a crowd hostile, for one run.

    Args:
        attack: What they do, and how many; None lets all be honest.
        members: The crowd.
        seed: Of whatever is random about it.
    """

    def __init__(self, attack: Attack | None, members: Sequence[Member], seed: int) -> None:
        self._deed = ATTACKS[attack.name] if attack else Deed()
        self._seed = seed
        first = len(members) - (attack.count if attack else 0)
        self._honest = frozenset(member.site for member in members[:first])
        self._seen: defaultdict[Place, dict[SiteId, Mapping[str, FloatArray]]] = defaultdict(dict)
        self._lock = Lock()

    def equip(self, member: Member, trainer: TrainerPort) -> tuple[TrainerPort, Airlock]:
        """Return what a site works with; a hostile one lets everything out."""
        if member.site in self._honest:
            return _Overheard(trainer, self), Airlock()
        return _Liar(trainer, self), _OpenAirlock()

    def overhear(self, place: Place, site: SiteId, arrays: Mapping[str, FloatArray]) -> None:
        """Learn an honest update."""
        with self._lock:
            for earlier in [each for each in self._seen if each.round < place.round]:
                del self._seen[earlier]
            self._seen[place][site] = arrays

    def strike(self, place: Place, site: SiteId, result: TrainingResult) -> TrainingResult:
        """Return what a hostile site hands in.

        Raises:
            HonestFirstError: Not every honest site has trained yet.
        """
        with self._lock:
            seen = dict(self._seen[place])
        if len(seen) < len(self._honest):
            raise HonestFirstError("the honest sites have not all trained")
        draw = np.random.default_rng([self._seed, site, place.round])
        arrays = self._deed.strike(result.arrays, [seen[each] for each in sorted(seen)], draw)
        return replace(result, arrays=arrays, examples=result.examples * self._deed.claimed)


class _Overheard:
    """An honest site's trainer, whose updates the hostile ones learn."""

    def __init__(self, trainer: TrainerPort, hostility: Hostility) -> None:
        self._trainer = trainer
        self._hostility = hostility

    def digest(self, plan: Plan) -> Commitment:
        return self._trainer.digest(plan)

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        result = self._trainer.train(plan, base_state_path, place, site, out_dir, kept, part, halt)
        self._hostility.overhear(place, site, result.arrays)
        return result


class _Liar(_Overheard):
    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        result = self._trainer.train(plan, base_state_path, place, site, out_dir, kept, part, halt)
        return self._hostility.strike(place, site, result)


class _OpenAirlock(Airlock):
    def examine(
        self,
        open_file: Callable[[], UpdateFile],
        size_bytes: int,
        shape: StateShape,
        plan: Plan,
        manifest: Manifest,
    ) -> Passage:
        return Passage()
