"""Read handwritten digits of 8 by 8 pixels with a small convolutional network.

The 1797 images of Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49. The model is two convolutions of 16 and 32
channels, one pooling, and a layer of 256: 138,698 parameters. All of the task
stands in this file, so that its digest covers all of it.
"""

from __future__ import annotations

from pathlib import Path

import torch

from fednet.learning.tables import load_table
from fednet.learning.task import Dataset, Task, count_correct

SIDE = 8
FEATURES = tuple(f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE))
LABEL = "digit"
_BRIGHTEST = 16.0


class DigitsConv(Task):
    """Classify an image as one of the ten digits, by pixels and their neighbours."""

    def model(self) -> torch.nn.Module:
        """Return the network; it takes the pixels of an image in one row."""
        half = SIDE // 2
        return torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, SIDE, SIDE)),
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(16, 32, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(32 * half * half, 256),
            torch.nn.ReLU(),
            torch.nn.Linear(256, 10),
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
