"""The interface that every rule shares, and the one way to apply a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from fednet.aggregation.fedavg import FedAvg, Outcome
from fednet.aggregation.kernels import require_subnormals
from fednet.aggregation.output import StateWriter, WrittenState
from fednet.aggregation.vector import Contribution, Vector
from fednet.domain.tensors import FloatArray, Layout
from fednet.errors import AggregationError, PlanError, QuorumError, ShapeMismatchError

DEFAULT_THREADS = 2


class Rule(Protocol):
    """Combine updates by a pure function of the base and the updates."""

    name: str

    def combine(
        self,
        base: Vector,
        contributions: Sequence[Contribution],
        write: Callable[[int, FloatArray], None],
        threads: int,
    ) -> Outcome:
        """Write every element of the next state once and say what was chosen.

        Args:
            base: State that the updates started from.
            contributions: At least one, in ascending order of site.
            write: Takes a start and the elements from there on; any order,
                from any thread; the buffer may be reused afterwards.
            threads: At least 1; must not change a bit.

        Raises:
            AggregationError: The updates cannot be combined.
        """
        ...


RULES: dict[str, Rule] = {rule.name: rule for rule in (FedAvg(),)}


def rule_of(name: str) -> Rule:
    """Find the rule that a plan names.

    Raises:
        PlanError: This version knows no such rule.
    """
    rule = RULES.get(name)
    if rule is None:
        raise PlanError("unknown aggregation rule", expected=" or ".join(RULES), actual=name)
    return rule


def aggregate(
    rule: Rule,
    layout: Layout,
    base: Vector,
    contributions: Sequence[Contribution],
    path: Path,
    threads: int = DEFAULT_THREADS,
) -> tuple[WrittenState, Outcome]:
    """Combine updates into the complete bytes of the next state.

    Args:
        rule: How.
        layout: Tensors of the base state.
        base: The base state's values.
        contributions: The included updates, in any order.
        path: Where the next state is written.
        threads: At least 1.

    Raises:
        QuorumError: No update was given.
        ShapeMismatchError: An update is not as long as the state.
        AggregationError: Two updates of one site, a weight below 1, or the rule
            cannot combine what it was given.
    """
    ordered = sorted(contributions, key=lambda entry: entry.site)
    _require_combinable(base, ordered)
    require_subnormals()
    writer = StateWriter(path, layout)
    try:
        outcome = rule.combine(base, ordered, writer.write, threads)
        return writer.finish(), outcome
    finally:
        writer.close()


def _require_combinable(base: Vector, ordered: Sequence[Contribution]) -> None:
    if not ordered:
        raise QuorumError("no update to combine", expected="at least 1", actual=0)
    if len({entry.site for entry in ordered}) != len(ordered):
        raise AggregationError("a site contributes twice")
    for entry in ordered:
        if entry.weight < 1:
            raise AggregationError(
                "weight is below 1", subject=f"site {entry.site}", actual=entry.weight
            )
        if entry.values.element_count != base.element_count:
            raise ShapeMismatchError(
                "update does not fit the state",
                subject=f"site {entry.site}",
                expected=f"{base.element_count} elements",
                actual=f"{entry.values.element_count} elements",
            )
