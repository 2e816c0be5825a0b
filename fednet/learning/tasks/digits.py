"""Read handwritten digits of 8 by 8 pixels with a small perceptron.

The 1797 images of Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49. The model is 64-128-10 with ReLU.
"""

from __future__ import annotations

from pathlib import Path

import torch

from fednet.learning.tables import load_table
from fednet.learning.task import Dataset, Task, count_correct

FEATURES = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
LABEL = "digit"
_BRIGHTEST = 16.0


class Digits(Task):
    """Classify an image as one of the ten digits."""

    def model(self) -> torch.nn.Module:
        """Return the perceptron."""
        return torch.nn.Sequential(
            torch.nn.Linear(len(FEATURES), 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
        )

    def load(self, path: Path) -> Dataset:
        """Read 64 pixels and the column ``digit``."""
        raw = Dataset.of(load_table(path, features=FEATURES, label=LABEL, classes=10))
        return Dataset(raw.features / _BRIGHTEST, raw.labels)

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        """Return the cross-entropy."""
        return torch.nn.functional.cross_entropy(model(batch.features), batch.labels)

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        """Return accuracy."""
        return {"accuracy": count_correct(model(data.features), data.labels) / len(data)}
