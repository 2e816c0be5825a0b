"""Between a run's state and the model of its task: which names go where; no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fednet.domain.plan import Plan
from fednet.domain.shape import CONTROL, MARK, StateShape
from fednet.domain.tensors import FloatArray
from fednet.learning.values import LocalTerms, TrainResult

Arrays = Mapping[str, FloatArray]


def model_of(shape: StateShape, state: Arrays, part: int = 0) -> dict[str, FloatArray]:
    """Take the tensors of one model out of a state, by the task's names.

    Args:
        shape: What the state holds.
        state: Every tensor of the state.
        part: The cluster's number; 0 where there are no clusters.
    """
    return {spec.name: state[shape.state_name(spec.name, part)] for spec in shape.model.tensors}


def initial_state(shape: StateShape, models: Sequence[Arrays]) -> dict[str, FloatArray]:
    """Make the state that round 1 starts from; what is added to a model starts as zeros.

    Args:
        shape: What the state is to hold.
        models: One model of the task for each cluster, or the only one; personal
            tensors are left out.
    """
    state = {
        shape.state_name(spec.name, number): model[spec.name]
        for number, model in enumerate(models)
        for spec in shape.model.tensors
    }
    added = (spec for spec in shape.state.tensors if shape.is_added(spec.name))
    return state | {spec.name: np.zeros(spec.shape, np.float32) for spec in added}


def terms_of(
    plan: Plan, shape: StateShape, state: Arrays, kept: Arrays, part: int = 0
) -> LocalTerms:
    """Say what a site needs for local training besides the base model."""
    prefix = _control_prefix(shape, part)
    control = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    return LocalTerms(
        travelling=plan.update.travelling,
        personal=plan.update.personal,
        beside=plan.personal,
        control=control,
        kept=kept,
        metric=plan.evaluation.metric,
        privacy=plan.privacy,
    )


def update_of(shape: StateShape, result: TrainResult, part: int = 0) -> dict[str, FloatArray]:
    """Name the arrays that a site sends as the state does."""
    prefix = _control_prefix(shape, part)
    arrays = {shape.state_name(name, part): value for name, value in result.update.items()}
    arrays |= {prefix + name: value for name, value in result.control.items()}
    return arrays


def difference_of(shape: StateShape, update: Arrays, part: int = 0) -> dict[str, FloatArray]:
    """Take out of an update what it changes of its model, by the task's names."""
    names = {spec.name: shape.state_name(spec.name, part) for spec in shape.model.tensors}
    return {name: update[at] for name, at in names.items() if at in update}


def control_of(shape: StateShape, update: Arrays, part: int = 0) -> dict[str, FloatArray]:
    """Take out of an update what it changes of SCAFFOLD's control variate, by the task's names."""
    prefix = _control_prefix(shape, part)
    return {
        name.removeprefix(prefix): value
        for name, value in update.items()
        if name.startswith(prefix)
    }


def _control_prefix(shape: StateShape, part: int) -> str:
    return shape.state_name(f"{MARK}{CONTROL}/", part)
