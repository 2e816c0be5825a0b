"""Rebuild the records behind a small update from its gradient: gradient inversion.

- `from_first_layer`: Geiping et al., 2020, https://arxiv.org/abs/2003.14053, proposition
  3.1: a layer's weight gradient over its bias gradient *is* what went into the layer.
- `by_matching`: Zhu et al., 2019 (DLG), https://arxiv.org/abs/1906.08935, with the cosine
  distance and the total variation of Geiping et al.: an image is changed until its
  gradient points where the update does. The label is read off the last bias (Zhao et
  al., 2020, https://arxiv.org/abs/2001.02610).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fednet.learning.task import Dataset, Task

SIDE = 8
_ROUGHNESS = 1e-3
_RATE = 0.05


def from_first_layer(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return what went into a layer, from its gradients, or from an update of one step.

    Args:
        weight: Outputs by inputs.
        bias: As many outputs.
    """
    loudest = int(bias.abs().argmax())
    return weight[loudest] / bias[loudest]


def from_every_unit(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return what each unit of a layer was moved by: of a sum, a record where one alone did.

    Fowl et al., 2022, https://arxiv.org/abs/2110.13057, build models in which one always does.
    """
    moved = bias != 0
    return weight[moved] / bias[moved, None]


def label_of(last_bias_gradient: torch.Tensor) -> torch.Tensor:
    """Return the label: of cross-entropy, the only score whose gradient is negative."""
    return last_bias_gradient.argmin().reshape(1)


def by_matching(
    task: Task, model: torch.nn.Module, gradient: Sequence[torch.Tensor], steps: int
) -> torch.Tensor:
    """Return the image whose gradient points most like the given one.

    Args:
        task: Gives the loss.
        model: That the gradient was taken at.
        gradient: Of every parameter; its length does not matter.
        steps: Of the search.
    """
    label = label_of(gradient[-1])
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, SIDE * SIDE, generator=generator).requires_grad_()
    search = torch.optim.Adam([image], lr=_RATE)
    length = torch.stack([g.norm() for g in gradient]).norm()
    for _ in range(steps):
        search.zero_grad()
        found = torch.autograd.grad(
            task.loss(model, Dataset(image, label)), list(model.parameters()), create_graph=True
        )
        along = torch.stack([(f * g).sum() for f, g in zip(found, gradient, strict=True)]).sum()
        own = torch.stack([f.norm() for f in found]).norm()
        square = image.reshape(SIDE, SIDE)
        rough = square.diff(dim=0).abs().mean() + square.diff(dim=1).abs().mean()
        loss = 1 - along / (own * length + 1e-12) + _ROUGHNESS * rough
        image.grad = torch.autograd.grad(loss, image)[0]
        search.step()
        with torch.no_grad():
            image.clamp_(0, 1)
    return image.detach()[0]


def likeness(found: torch.Tensor, records: torch.Tensor) -> float:
    """Return the highest correlation of an image with one of the records."""
    return max(
        float(torch.corrcoef(torch.stack([found.ravel(), record.ravel()]))[0, 1].nan_to_num())
        for record in records
    )
