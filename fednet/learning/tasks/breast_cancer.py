"""Tell malignant from benign breast masses in 30 measures of cell nuclei.

The 569 records of Breast Cancer Wisconsin (Diagnostic), 1995,
https://doi.org/10.24432/C5DW2B. The model is logistic regression. Each measure
is scaled by its *published* range, so no site learns another's statistics.
"""

from __future__ import annotations

from pathlib import Path

import torch

from fednet.learning.tables import load_table
from fednet.learning.task import Dataset, Task, count_correct

MEASURES = (
    "radius", "texture", "perimeter", "area", "smoothness",
    "compactness", "concavity", "concave_points", "symmetry", "fractal_dimension",
)  # fmt: skip
FEATURES = (
    *(f"mean_{measure}" for measure in MEASURES),
    *(f"{measure}_error" for measure in MEASURES),
    *(f"worst_{measure}" for measure in MEASURES),
)
LABEL = "malignant"

_LOWEST = (
    6.981, 9.71, 43.79, 143.5, 0.053, 0.019, 0.0, 0.0, 0.106, 0.05,
    0.112, 0.36, 0.757, 6.802, 0.002, 0.002, 0.0, 0.0, 0.008, 0.001,
    7.93, 12.02, 50.41, 185.2, 0.071, 0.027, 0.0, 0.0, 0.156, 0.055,
)  # fmt: skip
_HIGHEST = (
    28.11, 39.28, 188.5, 2501.0, 0.163, 0.345, 0.427, 0.201, 0.304, 0.097,
    2.873, 4.885, 21.98, 542.2, 0.031, 0.135, 0.396, 0.053, 0.079, 0.03,
    36.04, 49.54, 251.2, 4254.0, 0.223, 1.058, 1.252, 0.291, 0.664, 0.208,
)  # fmt: skip
_CENTRE, _SPREAD = 0.3, 4.0
"""Measures are skewed to the low end of their range: centre and stretch them for SGD."""


class BreastCancer(Task):
    """Classify a mass as malignant (1) or benign (0)."""

    def model(self) -> torch.nn.Module:
        """Return logistic regression as two scores."""
        return torch.nn.Linear(len(FEATURES), 2)

    def load(self, path: Path) -> Dataset:
        """Read the 30 measures and the column ``malignant``."""
        raw = Dataset.of(load_table(path, features=FEATURES, label=LABEL, classes=2))
        lowest, highest = torch.tensor(_LOWEST), torch.tensor(_HIGHEST)
        share = (raw.features - lowest) / (highest - lowest)
        return Dataset((share - _CENTRE) * _SPREAD, raw.labels)

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        """Return the cross-entropy."""
        return torch.nn.functional.cross_entropy(model(batch.features), batch.labels)

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        """Return accuracy, and sensitivity: the share of malignant masses found."""
        scores = model(data.features)
        malignant = data.labels == 1
        found = int((scores.argmax(dim=1)[malignant] == 1).sum())
        return {
            "accuracy": count_correct(scores, data.labels) / len(data),
            "sensitivity": found / max(1, int(malignant.sum())),
        }
