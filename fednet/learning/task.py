"""The task interface: the one small class a user of fednet writes.

A task says what the model is, how a site's private data is read, and what loss
and metrics mean. It says nothing about rounds, sites, chains or stores: it
runs in a process of its own that can reach its dataset and nothing else, and
only float32 tensors ever leave that process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fednet.errors import DataError
from fednet.learning.tables import Measured, Table, table_of_frame


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
    def of(cls, table: Table | Measured) -> Dataset:
        """Wrap what `load_table` or `load_measured` read."""
        labels = table.targets if isinstance(table, Measured) else table.labels
        return cls(torch.from_numpy(table.features), torch.from_numpy(labels))

    @classmethod
    def of_frame(
        cls, frame: object, *, features: Sequence[str], label: str, classes: int | None = None
    ) -> Dataset:
        """Take columns of a pandas DataFrame.

        Raises:
            DataError: As `load_table` does.
        """
        return cls.of(table_of_frame(frame, features=features, label=label, classes=classes))

    @classmethod
    def of_items(cls, items: object) -> Dataset:
        """Read every item of a torch Dataset that has a length and numbered items.

        Args:
            items: Each item is a pair of features and label: tensors, arrays or numbers,
                of one shape and dtype throughout. Whole numbers become int64, others float32.

        Raises:
            DataError: It is no such dataset, or its items differ in shape.
        """
        if not hasattr(items, "__len__") or not hasattr(items, "__getitem__"):
            raise DataError(
                "not a dataset of numbered items",
                expected="a torch Dataset with __len__ and __getitem__",
                actual=type(items).__name__,
            )
        pairs = [_pair(items[at], at) for at in range(len(items))]
        if not pairs:
            raise DataError("the dataset holds no examples")
        try:
            return cls(torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs]))
        except (RuntimeError, TypeError) as exc:
            raise DataError(
                "the dataset's items differ in shape",
                expected=f"{tuple(pairs[0][0].shape)} and {tuple(pairs[0][1].shape)}",
            ) from exc


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


def _pair(item: object, at: int) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(
            "an item is no pair", subject=f"item {at}", expected="features and label",
            hint="transform the items first: (features, label)",
        )  # fmt: skip
    return _tensor(item[0], at), _tensor(item[1], at)


def _tensor(value: object, at: int) -> torch.Tensor:
    if not isinstance(value, torch.Tensor | np.ndarray | np.generic | int | float):
        raise DataError(
            "an item holds something else than numbers", subject=f"item {at}",
            actual=type(value).__name__, hint="turn images into tensors in the dataset's transform",
        )  # fmt: skip
    tensor = torch.as_tensor(value).detach()
    return tensor.to(torch.float32 if tensor.is_floating_point() else torch.int64)
