"""Gradients of single examples, by Opacus' hooks on a model; what makes them unsound is refused.

Opacus (Yousefpour et al., 2021, https://arxiv.org/abs/2109.12298) multiplies what a
batch's mean loss hands back to a layer by what went into it, row by row. That is an
example's own gradient only where no layer and no loss mixes rows. So a few rows are
tried first: each one's gradient has to be what it is when the row stands alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from fednet.errors import SettingsError, TaskError
from fednet.learning.task import Dataset, Task

_TRIED_ROWS = 8
_LIKE = 1e-3
"""How far two ways to the same gradient may differ, as a share of its length."""
_NEXT_TO_NOTHING = 1e-6
_CHUNK_BYTES = 1 << 24

Parameters = Mapping[str, torch.nn.Parameter]


class SingleGradients:
    """Give the sum of clipped gradients of single examples; made by `single_gradients`."""

    def __init__(self, task: Task, model: torch.nn.Module, trained: Parameters) -> None:
        self._task = task
        self._model = model
        self._trained = trained
        values = sum(each.numel() for each in trained.values())
        self._chunk = max(1, _CHUNK_BYTES // (4 * values))

    def clipped_sum(self, batch: Dataset, norm: float) -> tuple[dict[str, torch.Tensor], float]:
        """Return the sum over a batch of gradients no longer than ``norm``, and of the losses.

        Args:
            batch: May hold no row.
            norm: Largest Euclidean length over all trained parameters together.
        """
        total = {name: torch.zeros_like(each) for name, each in self._trained.items()}
        losses = 0.0
        # Cut up so that memory holds the gradients of a part of the batch only.
        for rows in torch.split(torch.arange(len(batch)), self._chunk) if len(batch) else ():
            found, loss = self.each(batch.rows(rows))
            losses += float(loss.detach()) * len(rows)
            lengths = torch.stack([g.flatten(1).norm(dim=1) for g in found.values()], 1).norm(dim=1)
            factors = (norm / (lengths + _NEXT_TO_NOTHING)).clamp(max=1.0)
            for name, gradient in found.items():
                total[name] += torch.einsum("i,i...", factors, gradient)
        return total, losses

    def each(self, batch: Dataset) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return each row's gradient by parameter, first dimension rows, and the mean loss."""
        loss = self._task.loss(self._model, batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise TaskError("loss() gave something else", expected="a scalar tensor")
        loss.backward()  # type: ignore[no-untyped-call]
        found = {}
        for name, parameter in self._trained.items():
            gradient = getattr(parameter, "grad_sample", None)
            parameter.grad = None
            parameter.grad_sample = None  # type: ignore[attr-defined]
            if gradient is None:
                gradient = torch.zeros(len(batch), *parameter.shape)
            if not isinstance(gradient, torch.Tensor) or len(gradient) != len(batch):
                raise _mixes("a layer saw other rows than the batch has", name)
            found[name] = gradient
        return found, loss

    def require_sound(self, data: Dataset) -> None:
        """Raise unless a row's gradient in a batch is the one that it has alone.

        Raises:
            TaskError: A layer or the loss mixes rows.
        """
        # Over all labels: a loss that weighs classes looks right where there is one class only.
        order = torch.argsort(data.labels.reshape(len(data), -1)[:, 0].double(), stable=True)
        picks = torch.linspace(0, len(data) - 1, min(_TRIED_ROWS, len(data))).round().long()
        rows = data.rows(order[picks])
        resting = [module for module in self._model.modules() if _draws(module) and module.training]
        for module in resting:
            module.eval()  # what it draws would differ between the two ways
        try:
            together, _ = self.each(rows)
            for number in range(len(rows)):
                alone, _ = self.each(rows.rows(torch.tensor([number])))
                for name, gradient in alone.items():
                    wanted, found = gradient[0], together[name][number]
                    room = _LIKE * float(wanted.norm()) + _NEXT_TO_NOTHING
                    if not float((found - wanted).norm()) <= room:
                        raise _mixes("an example's gradient depends on other examples", name)
        finally:
            for module in resting:
                module.train()


@contextmanager
def single_gradients(
    task: Task, model: torch.nn.Module, trained: Parameters
) -> Iterator[SingleGradients]:
    """Hook a model, in training mode, and take the hooks off again.

    Args:
        task: Gives the loss.
        model: Trained in place by whoever asks.
        trained: Its parameters that require gradients, by name.

    Raises:
        SettingsError: Opacus is not installed.
        TaskError: The model has a layer that cannot be trained so, or rows are mixed.
    """
    with warnings.catch_warnings():
        # Opacus' first layer hears of gradients that nobody asked for, and torch says so.
        warnings.simplefilter("ignore")
        hooks_of, validate = _opacus()
        model.train()
        problems = [str(each) for each in validate(model)]
        if problems:
            raise TaskError(
                "the model has a layer that no single example's gradient exists for",
                subject="model",
                actual=" ".join(problems)[:400],
                hint="GroupNorm or LayerNorm in place of BatchNorm, opacus.layers in place of "
                "recurrent layers and attention, no buffers in layers that are trained",
            )
        hooks = hooks_of(model)
        try:
            yield SingleGradients(task, model, trained)
        finally:
            hooks.cleanup()


def _opacus() -> tuple[Callable[[torch.nn.Module], Any], Callable[[torch.nn.Module], list[Any]]]:
    """Return what hooks a model, and what finds its unfit layers; an extra, without types."""
    try:
        # Imported when asked for: it costs seconds, and most plans do without.
        from opacus.grad_sample import GradSampleHooks
        from opacus.validators import ModuleValidator
    except ImportError as exc:
        raise SettingsError(
            "this plan's differential privacy needs Opacus",
            subject="privacy.mechanism",
            hint='pip install "fednet[privacy]"',
        ) from exc

    def validate(model: torch.nn.Module) -> list[Any]:
        return [*ModuleValidator.validate(model), *GradSampleHooks.validate(model)]

    return lambda model: GradSampleHooks(model, loss_reduction="mean"), validate


def _draws(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.modules.dropout._DropoutNd)


def _mixes(message: str, name: str) -> TaskError:
    return TaskError(
        message,
        subject=name,
        hint="differential privacy needs a loss that is the plain mean over a batch's examples, "
        "layers that look at one example at a time, and randomness in torch.nn.Dropout only",
    )
