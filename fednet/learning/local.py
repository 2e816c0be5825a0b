"""What a site does with a base model, by every algorithm that a plan may name.

The base lacks personal tensors, which the site adds from what it kept, and may
hold tensors that stay as they are; the difference holds those that travel.

SCAFFOLD (Karimireddy et al., 2020, https://arxiv.org/abs/1910.06378), option
II, with c the global and c_i the site's control variate, x the base, y the new
local model, K steps at a rate of lr:

    each step    y - lr (gradient - c_i + c)
    at the end   c_i' = c_i - c + (x - y) / (K lr);   sent: c_i' - c_i

Ditto (Li et al., 2021, https://arxiv.org/abs/2012.04221) trains a model of the
site's own, v, beside the global one: steps on its loss plus lambda / 2 times
the squared distance between v and x. Personal layers: Arivazhagan et al., 2019,
https://arxiv.org/abs/1912.00818.

Differential privacy covers what travels and whatever is made of it (see `private`);
Ditto's model, which stays at its site, is trained without noise and has no part in
the update.

Everything kept is float32; a site that lost it goes on from zeros (control
variate), the task's initial values (personal tensors) or the base (Ditto).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import torch

from fednet.domain.sections import PrivacySection, TrainingSection
from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError, TrainingError
from fednet.learning import groups, training
from fednet.learning.groups import OWN_CONTROL, OWN_MODEL, OWN_TENSORS
from fednet.learning.state import read_state, write_state
from fednet.learning.task import Dataset, Task
from fednet.learning.values import LocalTerms, TrainResult, derive_seed

Arrays = Mapping[str, FloatArray]
OWN_PREFIX = "personal_"
"""Leads the metrics of the model that a site trains for itself."""


def work(
    task: Task,
    data: Dataset,
    base: Arrays,
    settings: TrainingSection,
    seed: int,
    terms: LocalTerms,
) -> TrainResult:
    """Train on a site's data, as the plan says.

    Args:
        task: The task.
        data: The site's examples.
        base: The shared tensors of the global model.
        settings: How to train.
        seed: Decides the order of examples and whatever the task draws.
        terms: What else the plan says, and what the site kept.

    Raises:
        TrainingError: The base does not fit the task, or training is not finite.
        TaskError: The task broke a rule.
    """
    model = training.build_model(task, settings.seed)
    names, start = start_from(model, base, terms)
    moved = groups.matching(terms.travelling, base) if terms.travelling else set(base)
    published = _publish(training.judge(task, model, data), terms.metric) if terms.metric else {}
    drift = _drift(model, moved, terms) if settings.algorithm == "scaffold" else {}
    anchor = {name: torch.from_numpy(base[name].copy()) for name in sorted(moved)}
    fixed = base.keys() - moved
    trained = _train(
        task, model, data, settings, terms.privacy, seed, fixed=fixed, anchor=anchor, drift=drift
    )
    metrics = training.judge(task, model, data)
    new = read_state(model)
    update = {name: np.subtract(new[name], base[name], dtype=np.float32) for name in sorted(moved)}
    kept = {OWN_TENSORS: {name: new[name] for name in sorted(names - base.keys())}}
    control: dict[str, FloatArray] = {}
    if settings.algorithm == "scaffold":
        rate = float(settings.learning_rate) * trained.steps
        control = _control_step(model, update, terms.control, rate)
        own = groups.take(terms.kept, OWN_CONTROL)
        kept[OWN_CONTROL] = {
            name: step + own[name] if _fits(own, name, step) else step
            for name, step in control.items()
        }
    if terms.beside.method == "ditto":
        own_metrics, kept[OWN_MODEL] = _beside(
            task, model, data, (start, anchor, fixed), settings, seed, terms
        )
        metrics |= {f"{OWN_PREFIX}{name}": value for name, value in own_metrics.items()}
    return TrainResult(
        update,
        len(data),
        trained.loss,
        metrics,
        trained.steps,
        control,
        groups.join(kept),
        published,
        len(data) if published else 0,
    )


def start_from(model: torch.nn.Module, base: Arrays, terms: LocalTerms) -> tuple[set[str], Arrays]:
    """Write the base and the site's own tensors into a model; return its names and values.

    Raises:
        TrainingError: The base does not fit the task.
    """
    fresh = read_state(model)
    personal = groups.matching(terms.personal, fresh)
    if fresh.keys() - personal != base.keys():
        raise TrainingError(
            "the global model does not fit the task's model",
            subject="model",
            expected=", ".join(sorted(fresh.keys() - personal))[:400],
            actual=", ".join(sorted(base))[:400],
            hint="the plan and this task's code disagree; compare the task digests",
        )
    own = groups.take(terms.kept, OWN_TENSORS)
    mine = {name: own[name] if _fits(own, name, fresh[name]) else fresh[name] for name in personal}
    start = {**base, **mine}
    write_state(model, start)
    return set(fresh), start


def _train(
    task: Task,
    model: torch.nn.Module,
    data: Dataset,
    settings: TrainingSection,
    privacy: PrivacySection,
    seed: int,
    *,
    fixed: set[str],
    anchor: Mapping[str, torch.Tensor],
    drift: Mapping[str, torch.Tensor],
) -> training.Trained:
    """Train what is shared: its records hidden by noise where the plan says so."""
    if not privacy.hides_records:
        return training.train(
            task, model, data, settings, seed, fixed=fixed, anchor=anchor, drift=drift
        )
    # Imported when asked for: it needs more than most plans do.
    from fednet.learning import private

    return private.train(
        task, model, data, settings, privacy, seed, fixed=fixed, anchor=anchor, drift=drift
    )


def _drift(model: torch.nn.Module, moved: set[str], terms: LocalTerms) -> dict[str, torch.Tensor]:
    """Return c - c_i by parameter."""
    own = groups.take(terms.kept, OWN_CONTROL)
    drift = {}
    for name, _ in model.named_parameters():
        if name in moved:
            correction = np.array(terms.control[name], np.float32)
            if _fits(own, name, correction):
                correction -= own[name]
            drift[name] = torch.from_numpy(correction)
    return drift


def _control_step(
    model: torch.nn.Module, update: Arrays, control: Arrays, rate: float
) -> dict[str, FloatArray]:
    """Return the change of the site's control variate; zeros for what no gradient moves.

    Args:
        model: Tells parameters from buffers.
        update: New minus base.
        control: The global control variate.
        rate: Learning rate times steps; 0 where no step was taken.
    """
    parameters = {name for name, _ in model.named_parameters()}
    change = {}
    for name, moved in update.items():
        if rate == 0 or name not in parameters:
            change[name] = np.zeros_like(moved)
            continue
        wide = -np.asarray(moved, np.float64) / rate - control[name]
        change[name] = wide.astype(np.float32)
    return change


def _beside(
    task: Task,
    model: torch.nn.Module,
    data: Dataset,
    ground: tuple[Arrays, Mapping[str, torch.Tensor], set[str]],
    settings: TrainingSection,
    seed: int,
    terms: LocalTerms,
) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Train the site's own model towards the base; return its metrics and its tensors.

    Args:
        task: The task.
        model: Used up.
        data: The site's examples.
        ground: Where a new model of one's own starts, what pulls it, what stays fixed.
        settings: How to train the global model.
        seed: Of the global model's training.
        terms: Lambda, epochs, and the model as it was.
    """
    start, anchor, fixed = ground
    own = groups.take(terms.kept, OWN_MODEL)
    fits = own.keys() == start.keys() and all(_fits(own, name, start[name]) for name in start)
    # Fixed tensors are the global model's, should a file of another origin hold others.
    write_state(model, {**(own if fits else start), **{name: start[name] for name in fixed}})
    how = settings.model_copy(
        update={
            "algorithm": "fedprox",
            "proximal_mu": Decimal(terms.beside.pull),
            "local_epochs": terms.beside.epochs,
        }
    )
    training.train(task, model, data, how, derive_seed(seed, "beside"), fixed=fixed, anchor=anchor)
    return training.judge(task, model, data), read_state(model)


def _publish(metrics: dict[str, float], wanted: str) -> dict[str, float]:
    if wanted not in metrics:
        raise TaskError(
            "the task has no such metric",
            subject=wanted,
            expected=", ".join(sorted(metrics)),
            hint="the plan's evaluation.metric must be one that the task's metrics() gives",
        )
    return {wanted: metrics[wanted]}


def _fits(own: Arrays, name: str, like: FloatArray) -> bool:
    return name in own and own[name].shape == like.shape
