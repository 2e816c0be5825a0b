"""A small run of real training: two groups of sites that call the same digits by other names.

Sites, updates, records and the audit are real; the ledger and the store are in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fednet.audit.storing import OPENED_SUFFIX, STATE_SUFFIX
from fednet.domain import canonical
from fednet.domain.clusters import part_for
from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan
from fednet.domain.sections import ModelSection, TaskSection, TrainingSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors
from fednet.learning import choosing, local, naming, training
from fednet.learning.baseline import built_in_task
from fednet.learning.partition import even
from fednet.learning.state import read_state, write_state
from fednet.learning.task import Dataset
from fednet.learning.values import derive_seed
from tests.unit.audit.world import World

SITES = 6
TRAINING = TrainingSection(local_epochs=2, batch_size=16, learning_rate=Decimal("0.1"))


@cache
def school() -> tuple[tuple[Dataset, ...], Dataset]:
    """Load equal shares of the digits and the images that no site has."""
    task = built_in_task("digits")
    with TemporaryDirectory() as folder:
        paths, held_out = even("digits", SITES).write(Path(folder))
        return tuple(task.load(path) for path in paths), task.load(held_out)


def renamed(data: Dataset) -> Dataset:
    """Call each digit by another name."""
    return Dataset(data.features, (data.labels * 3 + 1) % 10)


def dialect(site: SiteId) -> int:
    """Tell which names a site uses: odd sites 0, even sites 1."""
    return (site + 1) % 2


class School(World):
    """Train in every round at every site, by the plan.

    Args:
        folder: Where files go.
        rounds: Rounds of the plan.
        sections: Sections of the plan besides training.
        seed: Of the initial models.
    """

    def __init__(
        self, folder: Path, rounds: int, sections: Mapping[str, Any], seed: int = 3
    ) -> None:
        training.make_deterministic()
        self.sections = {"training": TRAINING, **sections}  # type: ignore[misc]
        self.task = built_in_task("digits")
        self.seed = seed
        self.kept: dict[SiteId, Mapping[str, FloatArray]] = {}
        super().__init__(folder, SITES, rounds)

    def initial(self) -> dict[str, FloatArray]:
        """Give each cluster a model of its own."""
        plan = Plan(
            name="small",
            rounds=100,
            task=TaskSection(source="digits", digest="0" * 64),
            model=ModelSection(commitment="0" * 64, size_bytes=1),
            **self.sections,
        )
        models = [
            read_state(training.build_model(self.task, derive_seed(self.seed, "cluster", number)))
            for number in range(plan.clusters.count)
        ]
        self.shape = StateShape.of_model(plan, Layout.of(models[0]))
        return naming.initial_state(self.shape, models)

    def contribute(self, site: SiteId) -> None:
        """Train at a site and submit what it learnt."""
        self.train(site)

    def train(self, site: SiteId, part: int | None = None, late: int = 0) -> None:
        """Train at one site and submit; ``part`` overrides what the plan says.

        Args:
            site: Who trains.
            part: Cluster whose model is trained.
            late: Rounds by which the state is older that training starts from.
        """
        state = self.global_state(late)
        assigned = self.last.assigned if self.last else {}
        if part is None:
            part = part_for(self.plan.clusters, self.place.round, assigned, site)
        if part is None:
            part = self.closest(site, state)
        kept = self.kept.get(site, {})
        terms = naming.terms_of(self.plan, self.shape, state, kept, part)
        base = naming.model_of(self.shape, state, part)
        seed = derive_seed(self.seed, site, self.place.round)
        result = local.work(self.task, self.data(site), base, self.plan.training, seed, terms)
        self.kept[site] = result.kept
        self.submit(
            site,
            arrays=naming.update_of(self.shape, result, part),
            weight=result.examples,
            steps=result.steps,
            base=self.bases[-1 - late],
            metrics={
                name: canonical.decimal_text(round(value, 9))
                for name, value in result.published.items()
            },
            evaluated=result.evaluated,
        )

    def closest(self, site: SiteId, state: Mapping[str, FloatArray]) -> int:
        """Return the cluster of the lowest loss at a site."""
        losses = [
            choosing.mean_loss(
                self.task,
                self.data(site),
                naming.model_of(self.shape, state, part.number),
                TRAINING,
                naming.terms_of(self.plan, self.shape, state, {}, part.number),
            )
            for part in self.shape.parts
        ]
        return losses.index(min(losses))

    def data(self, site: SiteId) -> Dataset:
        """Return a site's private data, in its names."""
        shares, _ = school()
        own = shares[site - 1]
        return renamed(own) if dialect(site) else own

    def global_state(self, late: int = 0) -> dict[str, FloatArray]:
        """Read the last final state, or one of so many rounds before."""
        name, suffixes = self.bases[-1 - late], (OPENED_SUFFIX, STATE_SUFFIX)
        older = [self.folder / f"{name}{suffix}" for suffix in suffixes]
        path = next((each for each in older if each.exists()), self.folder / "initial")
        return decode_tensors(path.read_bytes(), "state")[0]

    def accuracy(self, parts: Sequence[int]) -> list[float]:
        """Judge, for the first and the second way to name digits, one part's model each."""
        _, held_out = school()
        found = []
        for part, data in zip(parts, (held_out, renamed(held_out)), strict=True):
            model = self.task.model()
            write_state(model, naming.model_of(self.shape, self.global_state(), part))
            found.append(training.judge(self.task, model, data)["accuracy"])
        return found
