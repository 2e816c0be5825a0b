"""Measure what an update betrays of the data that it comes from; behind the walls, with the data.

Membership is measured by losses (Yeom et al., 2018, https://arxiv.org/abs/1709.01604):
those of examples that were trained on, before and after the update, against those
of records of the same kind that were not. How many examples an update is worth is
measured by their gradients: where one example's dwarfs all others', it stands
alone. What comes out are numbers about the data, which the site keeps to itself.

What is found was computed in the process of the task, by code of ours that runs
beside the task's own: a task that means to deceive its site can do so here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import torch

from fednet.domain.sections import TrainingSection
from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError, TrainingError
from fednet.learning import groups, local, training
from fednet.learning.scan import scan
from fednet.learning.state import read_state, write_state
from fednet.learning.task import Dataset, Task
from fednet.learning.values import Likeness, LocalTerms, Probed, ProbeOrder

MOST_EXAMPLES = 2_000
"""More examples than these are sampled for losses and gradients."""
MOST_RECORDS = 50_000
"""And more than these for the comparison with records."""
MOST_FEATURES = 4_096
"""Records of more values are not compared: what is common to them cannot be told in memory."""
_MOST_VALUES = 1 << 24

Arrays = Mapping[str, FloatArray]


def probe(
    task: Task,
    data: Dataset,
    held_out: Dataset | None,
    base: Arrays,
    update: Arrays,
    settings: TrainingSection,
    terms: LocalTerms,
    order: ProbeOrder,
) -> Probed:
    """Measure what was asked for.

    Args:
        task: The task.
        data: What was trained on.
        held_out: Records that were not; None if there are none.
        base: The global model, without personal tensors.
        update: What would leave: new minus base, of the tensors that travel.
        settings: The plan's section on training.
        terms: Names the personal tensors, and holds what training left at the site; its control
            variate is the change that would leave beside the update.
        order: What to measure.

    Raises:
        TrainingError: Base or update do not fit the task, or a loss is not finite.
    """
    model = training.build_model(task, settings.seed)
    _, start = local.start_from(model, base, terms)
    if not update.keys() <= start.keys():
        raise TrainingError(
            "the update holds tensors that the model lacks", subject="model",
            actual=", ".join(sorted(update.keys() - start.keys()))[:400],
        )  # fmt: skip
    model.eval()
    members = _sample(data, MOST_EXAMPLES, order.seed)
    others = _sample(held_out, MOST_EXAMPLES, order.seed) if held_out is not None else None
    losses: dict[str, FloatArray] = {}
    gradients = np.empty(0, np.float32)
    if order.gradients:
        gradients = _gradients(task, model, members, update.keys())
    if order.losses and others is not None:
        losses["members_before"] = _losses(task, model, members)
        losses["others_before"] = _losses(task, model, others)
        now = read_state(model)
        write_state(model, now | {name: now[name] + update[name] for name in update})
        losses["members_after"] = _losses(task, model, members)
        losses["others_after"] = _losses(task, model, others)
    likeness = None
    if order.records:
        leaving = groups.join({groups.UPDATE: update, groups.CONTROL: terms.control})
        likeness = _likeness(data, leaving, order)
    return Probed(len(data), losses, gradients, likeness)


def _likeness(data: Dataset, leaving: Arrays, order: ProbeOrder) -> Likeness:
    features = data.features[0].numel()
    if features > MOST_FEATURES:
        return Likeness(0.0, 1.0, 0.0, 0.0, stretches=0, left_out=0)
    most = min(MOST_RECORDS, _MOST_VALUES // max(features, 1))
    rows = _sample(data, most, order.seed).features
    flat = rows.reshape(len(rows), -1).to(torch.float32).numpy()
    return scan(flat, leaving, order.seed, order.least_weight)


def _sample(data: Dataset, most: int, seed: int) -> Dataset:
    """Return all examples, or so many drawn at random in their order."""
    if len(data) <= most:
        return data
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data), generator=draw)[:most]
    return data.rows(rows.sort().values)


def _losses(task: Task, model: torch.nn.Module, data: Dataset) -> FloatArray:
    """Return the loss of each example by itself."""
    found = np.empty(len(data), np.float32)
    with torch.no_grad():
        for at in range(len(data)):
            found[at] = _value(task.loss(model, data.rows(torch.tensor([at]))))
    return found


def _gradients(
    task: Task, model: torch.nn.Module, data: Dataset, travelling: Collection[str]
) -> FloatArray:
    """Return the length of each example's gradient, by the parameters that travel."""
    moved = [value for name, value in model.named_parameters() if name in travelling]
    if not moved:
        raise TrainingError("no parameter travels, so nothing has a gradient", subject="airlock")
    found = np.empty(len(data), np.float32)
    for at in range(len(data)):
        loss = task.loss(model, data.rows(torch.tensor([at])))
        _value(loss)
        parts = torch.autograd.grad(loss, moved, allow_unused=True)
        squares = [float((part.double() ** 2).sum()) for part in parts if part is not None]
        found[at] = math.sqrt(sum(squares))
    return found


def _value(loss: torch.Tensor) -> float:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise TaskError("loss() gave something else", expected="a scalar tensor")
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError("an example's loss is not finite", subject="airlock", actual=value)
    return value
