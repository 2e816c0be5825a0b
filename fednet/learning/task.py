"""The task interface: the one small class a user of fednet writes.

A task says what the model is, how a site's private data is read, and what loss
and metrics mean. It says nothing about rounds, sites, chains or stores: it
runs in a process of its own that can reach its dataset and nothing else, and
only float32 tensors ever leave that process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch

from fednet.learning.tables import Table


@dataclass(frozen=True, slots=True)
class Dataset:
    """Hold examples and their labels, row by row."""

    features: torch.Tensor
    """First dimension counts examples; any dtype."""
    labels: torch.Tensor
    """As many rows; int64 class numbers for classification."""

    def __len__(self) -> int:
        """Count the examples."""
        return int(self.features.shape[0])

    def rows(self, index: torch.Tensor) -> Dataset:
        """Return the chosen rows, in that order."""
        return Dataset(self.features[index], self.labels[index])

    @classmethod
    def of(cls, table: Table) -> Dataset:
        """Wrap a loaded table."""
        return cls(torch.from_numpy(table.features), torch.from_numpy(table.labels))


class Task(ABC):
    """Describe one learning problem; subclass it with a constructor without arguments."""

    @abstractmethod
    def model(self) -> torch.nn.Module:
        """Build the model with fresh parameters; every tensor of its state is float32.

        fednet seeds torch before the call, so the same plan starts from the same bytes.
        """

    @abstractmethod
    def load(self, path: Path) -> Dataset:
        """Read a site's private data.

        Raises:
            DataError: The data cannot be used; `fednet.learning.tables` raises it for you.
        """

    @abstractmethod
    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        """Return the mean loss over a batch as a scalar with a gradient."""

    @abstractmethod
    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        """Judge a model on data; called without gradients, in evaluation mode."""


def count_correct(scores: torch.Tensor, labels: torch.Tensor) -> int:
    """Count the rows whose highest score is their label's."""
    return int((scores.argmax(dim=1) == labels).sum())
