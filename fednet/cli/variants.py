"""Lay out the variants of a plan that a rehearsal compares, and play them in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fednet.cli import plans
from fednet.domain.identity import RoundNumber
from fednet.domain.plan import Plan
from fednet.domain.sections import AggregationSection
from fednet.simulation import Scenario
from fednet.simulation.comparison import Outcome, merged, variant
from fednet.simulation.hostility import Hostility

if TYPE_CHECKING:
    from fednet.cli.rehearsing import Stage

Tell = Callable[[str, RoundNumber, Mapping[str, float]], None]
"""Told of a variant, a final round of it, and what its model reaches."""


def lay_out(
    name: str,
    scenario: Scenario,
    rounds: int | None,
    changes: Mapping[str, Any],
    file: Path | None,
) -> dict[str, Any]:
    """Lay out one variant's plan, without its task and model.

    Args:
        name: One of `fednet.simulation.comparison.variants`.
        scenario: Who takes part.
        rounds: None takes the plan's own number, or 10.
        changes: Fields that differ, by section.
        file: A plan to start from; None starts from the defaults of a rehearsal.

    Raises:
        PlanError: Such a plan is impossible.
        SettingsError: No such variant.
    """
    hostile = scenario.attack.count if scenario.attack else 0
    count = scenario.sites
    base: dict[str, Any] = {
        "rounds": 10,
        "training": {"learning_rate": "0.1", "seed": scenario.seed},
        "cohort": {"minimum_updates": min(2, count)},
        "timing": {"reveal_seconds": 300},
    }
    if file is not None:
        base = plans.read(file).plan.model_dump()
        for section in ("format", "task", "model"):
            base.pop(section)
    needed: dict[str, Any] = {
        "name": name,
        "cohort": {"minimum_sites": count, "target_sites": count, "maximum_sites": count},
    }
    if rounds is not None:
        needed["rounds"] = rounds
    raw = merged(base, variant(name, hostile), needed, changes)
    rule = AggregationSection.model_validate(raw.get("aggregation", {}))
    asked = int(raw["cohort"].get("minimum_updates", 2))
    raw["cohort"]["minimum_updates"] = max(asked, rule.least_updates)
    # An impossible plan is refused before anything is started for the possible ones.
    unnamed = {
        "task": {"source": "unnamed", "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
    }
    Plan.validated(raw | unnamed, f"plan of {name}")
    return raw


def play_all(stage: Stage, raws: Mapping[str, Mapping[str, Any]], tell: Tell) -> list[Outcome]:
    """Play one variant after the other with the same sites.

    Raises:
        FednetError: The chain or the store failed, or nothing happened any more.
    """
    # Imported here: it knows the chain, the store and torch, which help does not need.
    from fednet.cli import rehearsing

    outcomes = []
    for name, raw in raws.items():
        scenario = stage.scenario
        hostility = Hostility(scenario.attack, stage.crowd.members, scenario.seed)
        played = rehearsing.play(stage, raw, hostility.equip, partial(tell, name))
        outcomes.append(Outcome(name, played, _metric(raw, played.metrics)))
    return outcomes


def _metric(raw: Mapping[str, Any], metrics: list[Mapping[str, float]]) -> str:
    """Choose what to compare: the metric that the plan names, or the task's first."""
    asked = str(raw.get("evaluation", {}).get("metric", ""))
    if not metrics:
        return asked
    return asked if asked in metrics[0] else sorted(metrics[0])[0]
