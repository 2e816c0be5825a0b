"""What a global state holds, and which of its tensors an update may carry.

A state is the model's tensors and, as its plan says, further ones of the same
names and shapes under a prefix: the server's moments, SCAFFOLD's control
variate, or the models of clusters. Prefixes begin with a sign that sorts after
every letter, so that the model stands first. An update carries the tensors of
one *part* of the state: the whole model, the layers that travel, or the model
of one cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from fednet.domain.plan import Plan
from fednet.domain.tensors import Layout, TensorSpec
from fednet.errors import PlanError, ShapeMismatchError

MARK = "~"
"""First sign of every prefix; no tensor of a task may begin with it."""
CONTROL = "control"
FIRST_MOMENT = "momentum"
SECOND_MOMENT = "second"

_SLOTS = {
    "none": (),
    "fedavgm": (FIRST_MOMENT,),
    "fedadam": (FIRST_MOMENT, SECOND_MOMENT),
    "fedyogi": (FIRST_MOMENT, SECOND_MOMENT),
    "fedadagrad": (FIRST_MOMENT, SECOND_MOMENT),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an update's flat vector, and where the state keeps what belongs to it."""

    start: int
    """First element in the update."""
    count: int
    state_start: int
    """First element in the state."""
    slot_starts: tuple[int, ...]
    """First element of each of the server's moments; none for a control variate."""
    is_control: bool
    """Whether these elements are SCAFFOLD's control variate."""


@dataclass(frozen=True, slots=True)
class Part:
    """One set of tensors that an update may consist of."""

    number: int
    """From 0; the cluster's, where there are clusters."""
    layout: Layout
    """Tensors of an update, by their names in the state."""
    segments: tuple[Segment, ...]
    """Cover the update's vector in order, without a gap."""


@dataclass(frozen=True, slots=True)
class StateShape:
    """Describe the states of a run."""

    model: Layout
    """Tensors of the task's model that are shared, as the task names them."""
    state: Layout
    parts: tuple[Part, ...]

    @classmethod
    def of_model(cls, plan: Plan, model: Layout) -> Self:
        """Derive the shape from the plan and the model of its task.

        Args:
            plan: The plan; its personal tensors are not part of the state.
            model: Every tensor of the task's model.

        Raises:
            PlanError: A pattern matches no tensor, or nothing would travel.
        """
        for spec in model.tensors:
            if spec.name.startswith(MARK):
                raise PlanError(f"a tensor's name begins with {MARK}", subject=spec.name)
        personal = _matching(plan.update.personal, model, "update.personal")
        shared = Layout(tuple(spec for spec in model.tensors if spec not in personal))
        travelling = _matching(plan.update.travelling, shared, "update.travelling")
        if not plan.update.travelling:
            travelling = frozenset(shared.tensors)
        if not travelling:
            raise PlanError("no tensor would travel", subject="update.personal")
        slots = _SLOTS[plan.server.optimizer]
        with_control = plan.training.algorithm == "scaffold"
        names = _prefixes(plan)
        specs = [
            TensorSpec(name + spec.name, spec.shape) for name in names for spec in shared.tensors
        ]
        moved = [spec for spec in shared.tensors if spec in travelling]
        for name in names:
            for slot in (*slots, *((CONTROL,) if with_control else ())):
                specs += [TensorSpec(_beside(name, slot) + spec.name, spec.shape) for spec in moved]
        state = Layout(tuple(sorted(specs, key=lambda spec: spec.name)))
        starts = _starts(state)
        parts = tuple(
            _part(number, name, moved, slots, with_control, starts)
            for number, name in enumerate(names)
        )
        return cls(shared, state, parts)

    @classmethod
    def plain(cls, model: Layout) -> Self:
        """Describe states that are a model and nothing else, whose updates carry all of it."""
        whole = Segment(0, model.element_count, 0, (), False)
        return cls(model, model, (Part(0, model, (whole,)),))

    @classmethod
    def of_state(cls, plan: Plan, state: Layout, subject: str = "state") -> Self:
        """Derive the shape from a state of the run, which must be just as the plan says.

        Raises:
            ShapeMismatchError: It holds tensors that the plan does not account for.
            PlanError: A pattern matches no tensor.
        """
        prefix = _prefixes(plan)[0]
        model = Layout(
            tuple(
                TensorSpec(spec.name.removeprefix(prefix), spec.shape)
                for spec in state.tensors
                if spec.name.startswith(prefix) and not spec.name[len(prefix) :].startswith(MARK)
            )
        )
        if not model.tensors:
            raise ShapeMismatchError("holds no model", subject=subject, expected=f"{prefix}*")
        without_personal = plan.model_copy(
            update={"update": plan.update.model_copy(update={"personal": ()})}
        )
        shape = cls.of_model(without_personal, model)
        if shape.state != state:
            raise ShapeMismatchError(
                "holds other tensors than its plan asks for",
                subject=subject,
                expected=", ".join(spec.name for spec in shape.state.tensors)[:400],
                actual=", ".join(spec.name for spec in state.tensors)[:400],
            )
        return shape

    def part_of(self, layout: Layout) -> Part | None:
        """Return the part that an update's tensors are; None if they are none."""
        return next((part for part in self.parts if part.layout == layout), None)

    def state_name(self, name: str, part: int = 0) -> str:
        """Name a model's tensor as the state does."""
        return (f"{MARK}cluster-{part}/" if len(self.parts) > 1 else "") + name

    def is_added(self, name: str) -> bool:
        """Tell whether a tensor of the state is no model's: it starts as zeros."""
        return any(f"{MARK}{slot}/" in name for slot in (CONTROL, FIRST_MOMENT, SECOND_MOMENT))


def _prefixes(plan: Plan) -> tuple[str, ...]:
    if plan.clusters.count == 1:
        return ("",)
    return tuple(f"{MARK}cluster-{number}/" for number in range(plan.clusters.count))


def _beside(prefix: str, slot: str) -> str:
    return prefix + f"{MARK}{slot}/"


def _matching(patterns: Sequence[str], layout: Layout, subject: str) -> frozenset[TensorSpec]:
    found: set[TensorSpec] = set()
    for pattern in patterns:
        hits = {spec for spec in layout.tensors if fnmatchcase(spec.name, pattern)}
        if not hits:
            raise PlanError(
                "matches no tensor of the model",
                subject=f"{subject}: {pattern}",
                expected=", ".join(spec.name for spec in layout.tensors)[:400],
            )
        found |= hits
    return frozenset(found)


def _starts(state: Layout) -> dict[str, int]:
    starts, position = {}, 0
    for spec in state.tensors:
        starts[spec.name] = position
        position += spec.element_count
    return starts


def _part(
    number: int,
    prefix: str,
    moved: Sequence[TensorSpec],
    slots: Sequence[str],
    with_control: bool,
    starts: dict[str, int],
) -> Part:
    specs = [(TensorSpec(prefix + spec.name, spec.shape), spec.name) for spec in moved]
    if with_control:
        specs += [
            (TensorSpec(_beside(prefix, CONTROL) + spec.name, spec.shape), "") for spec in moved
        ]
    specs.sort(key=lambda item: item[0].name)
    segments: list[Segment] = []
    position = 0
    for spec, name in specs:
        beside = tuple(starts[_beside(prefix, slot) + name] for slot in slots) if name else ()
        segment = Segment(position, spec.element_count, starts[spec.name], beside, not name)
        position += spec.element_count
        if segments and _continues(segments[-1], segment):
            last = segments.pop()
            segment = Segment(
                last.start,
                last.count + segment.count,
                last.state_start,
                last.slot_starts,
                last.is_control,
            )
        segments.append(segment)
    return Part(number, Layout(tuple(spec for spec, _ in specs)), tuple(segments))


def _continues(last: Segment, following: Segment) -> bool:
    return (
        last.is_control == following.is_control
        and last.state_start + last.count == following.state_start
        and tuple(start + last.count for start in last.slot_starts) == following.slot_starts
    )
