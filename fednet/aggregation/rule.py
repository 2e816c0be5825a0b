"""The rules that a plan may name, and the one way to apply one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fednet.aggregation.centres import CentredClipping, GeometricMedian, NormBounding
from fednet.aggregation.coordinates import Median, TrimmedMean
from fednet.aggregation.fedavg import FedAvg
from fednet.aggregation.fednova import FedNova
from fednet.aggregation.interface import Outcome, Rule
from fednet.aggregation.kernels import choose_kernel, require_subnormals
from fednet.aggregation.krum import Bulyan, Krum, MultiKrum
from fednet.aggregation.output import StateWriter, WrittenState
from fednet.aggregation.parts import copy_untouched
from fednet.aggregation.server import PLAIN, ServerStep
from fednet.aggregation.vector import CHUNK_ELEMENTS, Contribution, Vector
from fednet.domain.sections import AggregationSection, ServerSection, TrainingSection
from fednet.domain.shape import StateShape
from fednet.errors import AggregationError, PlanError, QuorumError, ShapeMismatchError

DEFAULT_THREADS = 2
Choose = Callable[[int], tuple[Rule, Outcome]]
"""From a number of updates to the rule that combines them, and what the record says of that."""

_USUAL = TrainingSection()

RULES: dict[str, Callable[[AggregationSection, TrainingSection], Rule]] = {
    "fedavg": lambda section, training: FedAvg(),
    "fednova": lambda section, training: FedNova(float(training.momentum)),
    "median": lambda section, training: Median(),
    "trimmed-mean": lambda section, training: TrimmedMean(section.hostile),
    "krum": lambda section, training: Krum(section.hostile),
    "multi-krum": lambda section, training: MultiKrum(section.hostile, section.keep),
    "bulyan": lambda section, training: Bulyan(section.hostile),
    "geometric-median": lambda section, training: GeometricMedian(section.iterations),
    "norm-bounding": lambda section, training: NormBounding(float(section.norm)),
    "centred-clipping": lambda section, training: CentredClipping(
        float(section.norm), section.iterations
    ),
}
"""Every rule of this version, made from its parameters and from how sites train."""


def rule_of(section: AggregationSection, training: TrainingSection = _USUAL) -> Rule:
    """Make the rule that a plan names.

    Raises:
        PlanError: This version knows no such rule.
    """
    make = RULES.get(section.rule)
    if make is None:
        raise PlanError(
            "unknown aggregation rule", expected=" or ".join(RULES), actual=section.rule
        )
    return make(section, training)


def rule_for(
    section: AggregationSection, updates: int, training: TrainingSection = _USUAL
) -> tuple[Rule, Outcome]:
    """Make the rule for as many updates as came, or the plan's fallback.

    Args:
        section: The plan's ``aggregation``.
        updates: How many updates there are.
        training: The plan's ``training``.

    Returns:
        The rule, and what the record says of the choice.

    Raises:
        QuorumError: Too few updates for the rule, and the plan has no fallback.
    """
    if updates >= section.least_updates:
        return rule_of(section, training), {}
    if section.fallback == "fail":
        raise QuorumError(
            f"too few updates for {section.rule} with hostile = {section.hostile}",
            expected=f"at least {section.least_updates}",
            actual=updates,
            hint='a plan may set aggregation.fallback = "median"',
        )
    fallback = AggregationSection(rule=section.fallback)
    return rule_of(fallback, training), {"fallback": section.fallback}


def aggregate(
    choose: Choose,
    shape: StateShape,
    base: Vector,
    contributions: Sequence[Contribution],
    path: Path,
    threads: int = DEFAULT_THREADS,
    *,
    server: ServerSection = PLAIN,
    cohort: int = 0,
) -> tuple[WrittenState, Outcome]:
    """Combine updates into the complete bytes of the next state.

    Args:
        choose: Gives the rule for a number of updates; see `rule_for`.
        shape: What the states of the run hold.
        base: The base state's values.
        contributions: The included updates, in any order.
        path: Where the next state is written.
        threads: At least 1.
        server: The optimiser that takes the combined update.
        cohort: Sites that could have contributed; 0 takes those that did.

    Raises:
        QuorumError: No update was given, or too few for the rule.
        ShapeMismatchError: An update is not as long as its part.
        AggregationError: Two updates of one site, a weight below 1, or the rule
            cannot combine what it was given.
    """
    ordered = sorted(contributions, key=lambda entry: entry.site)
    _require_combinable(shape, ordered)
    require_subnormals()
    outcome: Outcome = {}
    share = len(ordered) / max(cohort, len(ordered))
    writer = StateWriter(path, shape.state)
    try:
        for part in shape.parts:
            chosen = [entry for entry in ordered if entry.part == part.number]
            if not chosen:
                continue
            rule, said = choose(len(chosen))
            said = dict(said)
            kernel = choose_kernel(part.layout.element_count * len(chosen))
            step = ServerStep(server, part, base, writer.write, share, kernel)
            said |= rule.combine(chosen, step.apply, threads)
            if len(shape.parts) > 1:
                prefix = f"cluster-{part.number}"
                said = {f"{prefix}-{key}": value for key, value in said.items()}
                said[prefix] = [entry.site for entry in chosen]
            outcome |= said
        changed = frozenset(entry.part for entry in ordered)
        copy_untouched(base, shape, changed, writer.write, CHUNK_ELEMENTS)
        return writer.finish(), outcome
    finally:
        writer.close()


def _require_combinable(shape: StateShape, ordered: Sequence[Contribution]) -> None:
    if not ordered:
        raise QuorumError("no update to combine", expected="at least 1", actual=0)
    if len({entry.site for entry in ordered}) != len(ordered):
        raise AggregationError("a site contributes twice")
    for entry in ordered:
        if entry.weight < 1:
            raise AggregationError(
                "weight is below 1", subject=f"site {entry.site}", actual=entry.weight
            )
        expected = shape.parts[entry.part].layout.element_count
        if entry.values.element_count != expected:
            raise ShapeMismatchError(
                "update does not fit the state",
                subject=f"site {entry.site}",
                expected=f"{expected} elements",
                actual=f"{entry.values.element_count} elements",
            )
