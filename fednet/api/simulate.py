"""Rehearse plans with virtual sites on this machine, before a consortium runs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fednet.api.plan import Plan
from fednet.cli import variants
from fednet.errors import SettingsError
from fednet.learning.hostile import ATTACKS
from fednet.simulation import Attack, Partition, Scenario, Vanishing
from fednet.simulation.comparison import Outcome, merged

Watch = Callable[[str, int, Mapping[str, float]], None]
"""Told of a variant, the number of its latest final round, and what its model reaches."""


class Simulation(Mapping[str, Outcome]):
    """Hold what came of each variant, by its name.

    An outcome has ``series`` (the metric after each round), ``last``, ``best``,
    ``metric`` (its name) and ``rehearsal.metrics`` (all metrics of each round).
    """

    def __init__(self, outcomes: Sequence[Outcome], sites: int) -> None:
        self._outcomes = {outcome.name: outcome for outcome in outcomes}
        self.sites = sites

    def __getitem__(self, name: str) -> Outcome:
        return self._outcomes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {each.last}" for name, each in self.items())
        return f"Simulation({said})"

    @property
    def series(self) -> dict[str, list[float]]:
        """The compared metric after each round, by variant; ``pandas.DataFrame`` takes it."""
        return {name: outcome.series for name, outcome in self.items()}

    def draw(self, path: str | Path) -> Path:
        """Draw the curves as a PNG; return its path.

        Raises:
            SettingsError: matplotlib is not installed, or the file cannot be written.
        """
        from fednet.simulation.curves import draw_curves

        target = Path(path)
        draw_curves(list(self.values()), f"{self.sites} virtual sites", target)
        return target


def simulate(
    task: str = "digits",
    *,
    sites: int = 10,
    rounds: int | None = None,
    partition: str = "iid",
    attack: str | None = None,
    vanish: str | None = None,
    compare: Sequence[str] = ("fedavg",),
    plan: Plan | None = None,
    data: Sequence[str | Path] | None = None,
    held_out: str | Path | None = None,
    seed: int = 0,
    keep: str | Path | None = None,
    watch: Watch = lambda name, number, metrics: None,
    **sections: Mapping[str, Any],
) -> Simulation:
    """Play each variant in turn on the same virtual sites, on a chain and a store of their own.

        found = fednet.simulate(sites=11, attack="sign-flip-10:2", compare=["fedavg", "median"])
        found["median"].series

    Each site has an account and acts through the code of a real node. The task runs in
    processes that all sites share.

    Args:
        task: Built-in name, or one's own (``file.py:Class``), which needs `data`.
        sites: Virtual sites; as many as there are `data`.
        rounds: The plan's, or 10, unless given.
        partition: How records that ship with a task are dealt: ``iid``, ``dirichlet:0.3``.
        attack: ``NAME:COUNT`` makes the last sites hostile.
        vanish: ``COUNT@STEP`` lets that many sites vanish in each attempt, ``3@submitting``.
        compare: Rules, local algorithms, server optimisers, and ``masked``.
        plan: Start from this one instead of the defaults; it also gives the task.
        data: A file or folder of one's own for each site; no copy is made.
        held_out: Records of no site, to judge models on; needed with `data`.
        seed: Of everything that is drawn.
        keep: New home in which the network stays, for `Home`; nothing stays unless given.
        watch: Told of each final round.
        sections: Fields of the plans that differ: ``training={"batch_size": 16}``.

    Raises:
        SettingsError: Something of this cannot be rehearsed.
        PlanError: A plan is impossible.
        DataError: The task cannot read the records.
    """
    # Imported here: it knows the chain, the store and torch.
    from fednet.cli import rehearsing

    own = None
    if plan is not None:
        task = plan.terms.task.source
    if data is not None:
        if held_out is None:
            raise SettingsError("records of one's own need others to judge on", subject="held_out")
        own = rehearsing.OwnRecords(tuple(Path(path) for path in data), Path(held_out))
        sites = len(own.sites)
    names = tuple(name for name in ATTACKS if name != "none")
    hostile = Attack.parse(attack, names) if attack else None
    gone = Vanishing.parse(vanish) if vanish else None
    scenario = Scenario(sites, Partition.parse(partition), hostile, seed, gone)
    file = None if plan is None else plan.path
    changes = merged(sections)
    raws = {name: variants.lay_out(name, scenario, rounds, changes, file) for name in compare}
    home = None if keep is None else Path(keep).expanduser().absolute()
    with rehearsing.staged(scenario, task, home, lambda step: None, own) as stage:
        return Simulation(variants.play_all(stage, raws, watch), sites)
