"""Tell which of several models suits a site's data best (IFCA).

Ghosh et al., 2020, https://arxiv.org/abs/2006.04088: each site estimates its
cluster by the model of the lowest loss, and trains that one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from fednet.domain.sections import TrainingSection
from fednet.domain.tensors import FloatArray
from fednet.errors import TrainingError
from fednet.learning import local, training
from fednet.learning.task import Dataset, Task
from fednet.learning.values import LocalTerms


def mean_loss(
    task: Task,
    data: Dataset,
    base: Mapping[str, FloatArray],
    settings: TrainingSection,
    terms: LocalTerms,
) -> float:
    """Return a model's mean loss over a site's examples, without training it.

    Raises:
        TrainingError: The base does not fit the task, or the loss is not finite.
    """
    model = training.build_model(task, settings.seed)
    local.start_from(model, base, terms)
    model.eval()
    total = 0.0
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(data)), settings.batch_size):
            total += float(task.loss(model, data.rows(rows))) * len(rows)
    loss = total / len(data)
    if not math.isfinite(loss):
        raise TrainingError("the loss is not finite", subject="a cluster's model")
    return loss
