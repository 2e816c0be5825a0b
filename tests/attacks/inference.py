"""Guess from an update which records it was learnt from: membership inference.

The attacker knows the model that a site started from, and the update: so also the model
that the site ended with. Scores are higher for records that it takes for members.

- `by_loss`: Yeom et al., 2018, https://arxiv.org/abs/1709.01604. A record that the new
  model fits well was learnt.
- `by_direction`: the update points where a member's own gradient does (Nasr et al.,
  2019, https://arxiv.org/abs/1812.00910, who learn what is measured here).
- `by_likelihood`: Carlini et al., 2022, https://arxiv.org/abs/2112.03570 (LiRA, offline):
  how surely the new model gives a record's label, beside models that were learnt
  without it, as a normal distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fednet.learning.task import Dataset, Task

Scores = npt.NDArray[np.float64]
_LEAST_DEVIATION = 0.1


def by_loss(model: torch.nn.Module, data: Dataset) -> Scores:
    """Score records by how little they cost a model."""
    with torch.no_grad():
        return (
            -functional.cross_entropy(model(data.features), data.labels, reduction="none")
            .double()
            .numpy()
        )


def by_direction(
    task: Task, base: torch.nn.Module, update: Sequence[torch.Tensor], data: Dataset
) -> Scores:
    """Score records by how far the update goes down their own gradient at the base."""
    found = []
    for row in range(len(data)):
        loss = task.loss(base, data.rows(torch.tensor([row])))
        gradient = torch.autograd.grad(loss, list(base.parameters()))
        along = sum(float(-(g * u).sum()) for g, u in zip(gradient, update, strict=True))
        found.append(along / math.sqrt(sum(float(g.square().sum()) for g in gradient)))
    return np.array(found)


def confidence(model: torch.nn.Module, data: Dataset) -> Scores:
    """Return log(p / (1 - p)) of each record's label, which is nearly normal over models."""
    with torch.no_grad():
        scores = model(data.features).double()
    right = scores.gather(1, data.labels[:, None])[:, 0]
    others = scores.scatter(1, data.labels[:, None], -math.inf).logsumexp(dim=1)
    return (right - others).numpy()


def by_likelihood(confidences: Scores, members: npt.NDArray[np.bool_]) -> Scores:
    """Score every record in every trial, beside the trials that did not learn it.

    Args:
        confidences: A row for each trial, a column for each record.
        members: Which records each trial learnt, of the same shape.
    """
    found = np.empty_like(confidences)
    for trial in range(len(confidences)):
        others = np.delete(confidences, trial, axis=0)
        without = np.ma.masked_array(others, np.delete(members, trial, axis=0))
        spread = np.maximum(without.std(axis=0), _LEAST_DEVIATION)
        found[trial] = (confidences[trial] - without.mean(axis=0)) / spread
    return found


def area(scores: Scores, members: npt.NDArray[np.bool_]) -> float:
    """Return the area under the curve: the chance that a member outscores a stranger."""
    inside, outside = scores[members], scores[~members]
    above = (inside[:, None] > outside).mean() + (inside[:, None] == outside).mean() / 2
    return float(above)
