"""A task for the common case: columns in, one label out, loss and metrics by name.

Subclass `SupervisedTask`, say which columns, and build a model:

    class Tumours(SupervisedTask):
        features = ("radius", "texture")
        label = "malignant"
        classes = 2
        measures = ("accuracy", "auroc")

        def model(self) -> torch.nn.Module:
            return torch.nn.Linear(2, 2)

Accuracy and the errors of a quantity need nothing else; other metrics are those of
torchmetrics (``fednet[metrics]``), https://lightning.ai/docs/torchmetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch.nn import functional

from fednet.errors import TaskError
from fednet.learning.tables import load_measured, load_table
from fednet.learning.task import Dataset, Task, count_correct

Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From predictions and labels to a number; a `torchmetrics.Metric` is one."""

_CLASSIFIED: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross-entropy": functional.cross_entropy,
    "binary-cross-entropy": lambda scores, labels: functional.binary_cross_entropy_with_logits(
        scores.reshape(-1), labels.float()
    ),
}
_QUANTITIES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mean-squared-error": lambda found, wanted: functional.mse_loss(found.reshape(-1), wanted),
    "mean-absolute-error": lambda found, wanted: functional.l1_loss(found.reshape(-1), wanted),
    "huber": lambda found, wanted: functional.huber_loss(found.reshape(-1), wanted),
}
LOSSES = (*_CLASSIFIED, *_QUANTITIES)
_OF_CLASSES = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "f1_score",
    "auroc": "auroc",
    "average-precision": "average_precision",
    "calibration-error": "calibration_error",
    "cohen-kappa": "cohen_kappa",
    "matthews": "matthews_corrcoef",
}
"""Our word to the function in `torchmetrics.functional`."""
_UNAVERAGED = ("calibration-error", "cohen-kappa", "matthews")
_OF_QUANTITIES = {"r2": "r2_score", "pearson": "pearson_corrcoef", "spearman": "spearman_corrcoef"}


class SupervisedTask(Task):
    """Learn one column from others; subclass it, name the columns, give a model."""

    features: ClassVar[Sequence[str]]
    """Columns in the order the model wants them; a column of lists counts as many numbers."""
    label: ClassVar[str]
    """Column with class numbers from 0, or with the quantity to be foretold."""
    classes: ClassVar[int | None] = None
    """Number of classes; needed by a loss over classes."""
    loss_name: ClassVar[str] = "cross-entropy"
    """One of `LOSSES`."""
    measures: ClassVar[Sequence[str] | Mapping[str, Measure]] = ()
    """Names of metrics, or metrics of one's own by name; empty: accuracy, or the loss.

    Where there are more than two classes, a metric by name is the plain mean over them.
    """

    def load(self, path: Path) -> Dataset:
        """Read the columns from whatever `load_table` reads, and prepare them."""
        self._require_sense()
        if self.loss_name in _QUANTITIES:
            read = load_measured(path, features=self.features, target=self.label)
            return self.prepare(Dataset.of(read))
        table = load_table(path, features=self.features, label=self.label, classes=self.classes)
        return self.prepare(Dataset.of(table))

    def prepare(self, data: Dataset) -> Dataset:
        """Scale or reshape what was read; override it. Use no statistics of one site's data."""
        return data

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        """Return the mean of the named loss."""
        chosen = {**_CLASSIFIED, **_QUANTITIES}[self.loss_name]
        return chosen(model(batch.features), batch.labels)

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        """Return the named metrics over all of the data."""
        found = model(data.features)
        if isinstance(self.measures, Mapping):
            own = self.measures.items()
            return {name: _call(measure, found, data.labels) for name, measure in own}
        default = "mean-squared-error" if self.loss_name in _QUANTITIES else "accuracy"
        names = self.measures or (default,)
        return {name: self._measured(name, found, data.labels) for name in names}

    def _measured(self, name: str, found: torch.Tensor, labels: torch.Tensor) -> float:
        if self.loss_name in _QUANTITIES:
            if name in _QUANTITIES:
                return float(_QUANTITIES[name](found, labels))
            return float(_torchmetric(name, _OF_QUANTITIES)(found.reshape(-1), labels))
        scores = _two_columns(found) if self.loss_name == "binary-cross-entropy" else found
        if name == "accuracy":
            return count_correct(scores, labels) / len(labels)
        function = _torchmetric(name, _OF_CLASSES)
        shares = scores.softmax(dim=1)
        if self.classes == 2:
            return float(function(shares[:, 1], labels, task="binary"))
        options = {} if name in _UNAVERAGED else {"average": "macro"}
        return float(
            function(shares, labels, task="multiclass", num_classes=self.classes, **options)
        )

    def _require_sense(self) -> None:
        """Raise unless loss and number of classes fit.

        Raises:
            TaskError: They do not.
        """
        subject = type(self).__name__
        if self.loss_name not in LOSSES:
            raise TaskError(
                "no such loss", subject=subject, expected=", ".join(LOSSES), actual=self.loss_name,
                hint="for any other, override `loss`",
            )  # fmt: skip
        binary = self.loss_name == "binary-cross-entropy"
        if self.loss_name in _CLASSIFIED and (
            self.classes is None or self.classes < 2 or (binary and self.classes != 2)
        ):
            raise TaskError(
                "the number of classes does not fit the loss",
                subject=f"{subject}.classes",
                expected="2" if binary else "2 or more",
                actual=self.classes,
            )


def _torchmetric(name: str, known: Mapping[str, str]) -> Callable[..., torch.Tensor]:
    if name not in known:
        raise TaskError(
            "no such metric", subject=name, expected=", ".join(sorted(known)),
            hint="give a metric of your own by name: measures = {name: function}",
        )  # fmt: skip
    try:
        # Imported when asked for: it costs seconds, and accuracy does without.
        from torchmetrics import functional as metrics
    except ImportError as exc:
        raise TaskError(
            "this metric needs torchmetrics", subject=name, hint='pip install "fednet[metrics]"'
        ) from exc
    found: Callable[..., torch.Tensor] = getattr(metrics, known[name])
    return found


def _call(measure: Measure, found: torch.Tensor, labels: torch.Tensor) -> float:
    """Apply a metric; one that accumulates starts anew."""
    reset = getattr(measure, "reset", None)
    if callable(reset):
        reset()
    return float(measure(found, labels))


def _two_columns(logits: torch.Tensor) -> torch.Tensor:
    """Write one score as two whose softmax gives the same share."""
    flat = logits.reshape(-1)
    return torch.stack([torch.zeros_like(flat), flat], dim=1)
