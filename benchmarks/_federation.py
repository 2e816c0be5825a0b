"""A run's learning in one process, by fednet's own pieces: no chain, no store, no walls.

Training, the bytes of every update, their intake and the aggregation are those
of a node; only the ledger between them is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fednet.aggregation import Contribution, Outcome, aggregate, rule_for
from fednet.codec import Expected, TensorFile, Verdict, judge_update, open_update, write_update
from fednet.domain import canonical
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA, Manifest, Place
from fednet.learning import derive_seed, local, naming, training
from fednet.learning.baseline import built_in_task
from fednet.learning.state import read_state, write_state
from fednet.learning.task import Dataset, Task
from fednet.learning.values import LocalTerms

Arrays = Mapping[str, FloatArray]
Alter = Callable[[int, dict[SiteId, dict[str, FloatArray]]], Mapping[SiteId, Arrays]]
"""From a round's number and what honest training gave each site to what the sites send."""
_CONTRACT = Address("0x00000000000000000000000000000000000000A1")


def seed_of(plan_seed: int, number: int, site: int) -> int:
    """Return the seed of a site's training in a round."""
    return derive_seed(plan_seed, number, site)


def plan_of(name: str, task: str, rounds: int, sections: Mapping[str, Any]) -> Plan:
    """Make a plan whose model is still to be named."""
    raw = {
        "name": name,
        "rounds": rounds,
        "task": {"source": task, "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
    }
    return Plan.validated(raw | dict(sections), "plan")


class Federation:
    """Sites with data, and the state that they train together.

    Args:
        plan: What they agreed on; its model is made here.
        sites: The sites' datasets.
        folder: For states and updates; of the caller to remove.
        alter: What hostile sites do; honest ones send what they trained.
        claims: By how much sites multiply the number of their examples.
        task: Stands in for the plan's built-in one.
    """

    def __init__(
        self,
        plan: Plan,
        sites: Sequence[Dataset],
        folder: Path,
        alter: Alter | None = None,
        claims: Mapping[SiteId, int] | None = None,
        task: Task | None = None,
    ) -> None:
        training.make_deterministic()
        self.task = task or built_in_task(plan.task.source)
        self.data = {SiteId(number): data for number, data in enumerate(sites, start=1)}
        self.verdicts: dict[SiteId, Verdict] = {}
        self.outcome: Outcome = {}
        self.number = 0
        self._folder = folder
        self._alter = alter
        self._claims = claims or {}
        self._kept: dict[SiteId, Arrays] = {}
        seeds = [derive_seed(plan.training.seed, "model", at) for at in range(plan.clusters.count)]
        seeds[0] = plan.training.seed
        models = [read_state(training.build_model(self.task, seed)) for seed in seeds]
        self.shape = StateShape.of_model(plan, Layout.of(models[0]))
        state = encode_tensors(naming.initial_state(self.shape, models), STATE_METADATA)
        self.state_path = folder / "state-0"
        self.state_path.write_bytes(state)
        named = {"commitment": str(Commitment.of(state)), "size_bytes": len(state)}
        self.plan = plan.model_copy(update={"model": plan.model.model_copy(update=named)})

    def play(self, judged_on: Dataset) -> dict[str, float]:
        """Play one round and judge the model that it gave."""
        self.number += 1
        base = Commitment.of(self.state_path.read_bytes())
        state = decode_tensors(self.state_path.read_bytes(), "state")[0]
        sent: dict[SiteId, dict[str, FloatArray]] = {}
        steps: dict[SiteId, int] = {}
        for site in self.data:
            sent[site], steps[site] = self._train(site, state)
        changed = self._alter(self.number, sent) if self._alter else sent
        place = Place(1, _CONTRACT, RunId(1), RoundNumber(self.number), 1)
        contributions = []
        for site, arrays in changed.items():
            weight = self._weight(site)
            manifest = Manifest(place, site, base, weight, _salt(self.number, site), steps[site])
            path = self._folder / f"update-{site}"
            write_update(path, arrays, manifest, self.plan.update)
            verdict = judge_update(
                path, self.plan, Expected(place, site, weight, {base: 0}, self.shape)
            )
            self.verdicts[site] = verdict
            if verdict.inclusion is Inclusion.INCLUDED:
                values = open_update(path, f"update of site {site}", self.plan, self.shape)
                contributions.append(Contribution(site, weight, values, verdict.part, steps[site]))
        self._combine(contributions)
        return self.judge(judged_on)

    def judge(self, data: Dataset) -> dict[str, float]:
        """Judge the global model, by the task's metrics."""
        model = training.build_model(self.task, self.plan.training.seed)
        state = decode_tensors(self.state_path.read_bytes(), "state")[0]
        write_state(model, naming.model_of(self.shape, state))
        return training.judge(self.task, model, data)

    def _train(self, site: SiteId, state: Arrays) -> tuple[dict[str, FloatArray], int]:
        kept = self._kept.get(site, {})
        terms: LocalTerms = naming.terms_of(self.plan, self.shape, state, kept)
        base = naming.model_of(self.shape, state)
        seed = seed_of(self.plan.training.seed, self.number, site)
        done = local.work(self.task, self.data[site], base, self.plan.training, seed, terms)
        self._kept[site] = done.kept
        return naming.update_of(self.shape, done), done.steps

    def _weight(self, site: SiteId) -> int:
        """Return what a site claims, within the plan's bound: it registered its data itself."""
        claimed = len(self.data[site]) * self._claims.get(site, 1)
        return min(claimed, self.plan.update.maximum_examples)

    def _combine(self, contributions: Sequence[Contribution]) -> None:
        following = self._folder / f"state-{self.number}"
        plan = self.plan
        with TensorFile(self.state_path, "state") as base:
            _, self.outcome = aggregate(
                lambda updates: rule_for(plan.aggregation, updates, plan.training),
                self.shape,
                base,
                contributions,
                following,
                server=plan.server,
                cohort=len(self.data),
            )
        for entry in contributions:
            entry.values.close()  # type: ignore[attr-defined]
        self.state_path.unlink()
        self.state_path = following


def _salt(number: int, site: int) -> Digest:
    return Digest(Commitment.of(canonical.encode([number, site])))


def mean(values: Sequence[float]) -> float:
    """Return the mean, without rounding on the way."""
    return math.fsum(values) / len(values)
