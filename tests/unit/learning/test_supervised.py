from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import torchmetrics
from torch.nn import functional
from torch.utils.data import TensorDataset

from fednet.domain.sections import TrainingSection
from fednet.errors import DataError, TaskError
from fednet.learning import Dataset, SupervisedTask, Trainer

DRAW = np.random.default_rng(7)
FEATURES = DRAW.normal(size=(40, 3)).astype(np.float32)


class Fixed(SupervisedTask):
    """Predicts its features, so that what a metric must be can be said."""

    features = ("a", "b", "c")
    label = "y"
    classes = 3

    def model(self) -> torch.nn.Module:
        return torch.nn.Identity()


def _with(**fields: Any) -> SupervisedTask:
    return type("Made", (Fixed,), fields)()


def _data(labels: Sequence[float] | np.ndarray[Any, Any]) -> Dataset:
    return Dataset(torch.from_numpy(FEATURES), torch.as_tensor(np.asarray(labels)))


truth = DRAW.integers(0, 3, 40)


def test_metrics_over_classes_are_means_over_them() -> None:
    names = ("accuracy", "recall", "precision", "f1", "specificity", "auroc")
    found = _with(measures=names).metrics(torch.nn.Identity(), _data(truth))
    chosen = FEATURES.argmax(axis=1)
    assert tuple(found) == names
    assert found["accuracy"] == np.mean(chosen == truth)
    recalls = [np.mean(chosen[truth == k] == k) for k in range(3)]
    precisions = [np.mean(truth[chosen == k] == k) for k in range(3)]
    assert found["recall"] == pytest.approx(np.mean(recalls), abs=1e-6)
    assert found["precision"] == pytest.approx(np.mean(precisions), abs=1e-6)
    # A share of pairs in the right order, counted by hand.
    shares = torch.from_numpy(FEATURES).softmax(dim=1).numpy()
    areas = []
    for k in range(3):
        inside, outside = shares[truth == k, k], shares[truth != k, k]
        areas.append(np.mean(inside[:, None] > outside[None, :]))
    assert found["auroc"] == pytest.approx(np.mean(areas), abs=1e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy"])
def test_two_classes_are_judged_by_the_share_of_the_second(loss: str) -> None:
    labels = torch.from_numpy(DRAW.integers(0, 2, 40))
    two = torch.from_numpy(FEATURES[:, :2])
    scores = two if loss == "cross-entropy" else two[:, 1:] - two[:, :1]
    task = _with(classes=2, loss_name=loss, measures=("accuracy", "auroc", "recall"))
    found = task.metrics(torch.nn.Identity(), Dataset(scores, labels))
    gap = (two[:, 1] - two[:, 0]).numpy()
    inside, outside = gap[labels == 1], gap[labels == 0]
    assert found["accuracy"] == pytest.approx(np.mean((gap > 0) == labels.numpy()))
    assert found["recall"] == pytest.approx(np.mean(inside > 0))
    assert found["auroc"] == pytest.approx(np.mean(inside[:, None] > outside[None, :]), abs=1e-6)
    # Both forms of the loss say the same of the same shares.
    value = task.loss(torch.nn.Identity(), Dataset(scores, labels))
    assert float(value) == pytest.approx(float(functional.cross_entropy(two, labels)), abs=1e-6)


def test_a_quantity_has_losses_and_metrics_of_its_own() -> None:
    wanted = FEATURES[:, 0] * 2 + 1
    data = Dataset(torch.from_numpy(FEATURES[:, :1]), torch.from_numpy(wanted))
    task = _with(classes=None, loss_name="huber", measures=("mean-squared-error", "r2", "pearson"))
    found = task.metrics(torch.nn.Identity(), data)
    errors = FEATURES[:, 0] - wanted
    assert found["mean-squared-error"] == pytest.approx(np.mean(errors**2), rel=1e-5)
    assert found["r2"] == pytest.approx(1 - np.sum(errors**2) / np.sum((wanted - wanted.mean())**2),
                                        rel=1e-4)  # fmt: skip
    assert found["pearson"] == pytest.approx(1, abs=1e-5)
    small, large = np.abs(errors) <= 1, np.abs(errors) > 1
    huber = np.sum(errors[small] ** 2 / 2) + np.sum(np.abs(errors[large]) - 0.5)
    value = float(task.loss(torch.nn.Identity(), data))
    assert value == pytest.approx(huber / len(errors), rel=1e-5)


def test_a_metric_object_starts_anew_at_every_call() -> None:
    own = {"top": torchmetrics.Accuracy(task="multiclass", num_classes=3, average="micro")}
    task = _with(measures=own)
    first = task.metrics(torch.nn.Identity(), _data(truth))
    task.metrics(torch.nn.Identity(), _data((truth + 1) % 3))
    assert task.metrics(torch.nn.Identity(), _data(truth)) == first
    assert first["top"] == pytest.approx(np.mean(FEATURES.argmax(axis=1) == truth))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"loss_name": "magic"}, "no such loss"),
        ({"classes": None}, "number of classes"),
        ({"classes": 1}, "number of classes"),
        ({"loss_name": "binary-cross-entropy"}, "number of classes"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(TaskError, match=said):
        _with(**fields).load(tmp_path / "unread.csv")


def test_a_metric_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TaskError, match="no such metric"):
        _with(measures=("accuracy", "magic")).metrics(torch.nn.Identity(), _data(truth))


def test_items_of_a_torch_dataset_become_rows() -> None:
    labels = torch.arange(40, dtype=torch.int32)
    found = Dataset.of_items(TensorDataset(torch.from_numpy(FEATURES).double(), labels))
    assert found.features.dtype == torch.float32
    assert found.labels.dtype == torch.int64
    assert torch.equal(found.features, torch.from_numpy(FEATURES))
    assert found.labels.tolist() == list(range(40))
    plain = Dataset.of_items([(np.ones((2, 2)), 1.5), (np.zeros((2, 2)), 2.5)])
    assert plain.features.shape == (2, 2, 2)
    assert plain.labels.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (iter([(1, 2)]), "numbered items"),
        ([], "no examples"),
        ([(1.0, 1), (torch.ones(2), 1)], "differ in shape"),
        ([{"x": 1}], "no pair"),
        ([("text", 1)], "something else than numbers"),
    ],
)
def test_items_that_are_no_examples_are_refused(items: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Dataset.of_items(items)


OWN = """
import torch
from pathlib import Path
from fednet.learning import Dataset, SupervisedTask

class Told(SupervisedTask):
    features = ("a", "image")
    label = "y"
    classes = 2
    measures = ("accuracy", "auroc", "f1")

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(5, 2)

class Library(Told):
    def load(self, path: Path) -> Dataset:
        import datasets
        found = datasets.load_from_disk(str(path)).with_format("torch")
        return Dataset.of_items([(torch.cat([row["a"].reshape(1), row["image"].reshape(-1)]),
                                  row["y"]) for row in found])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    (made / "mine.py").write_text(textwrap.dedent(OWN))
    labels = np.arange(60) % 2
    images = DRAW.normal(size=(60, 2, 2)) + labels[:, None, None] * 3
    columns = {"a": DRAW.normal(size=60), "image": images.tolist(), "y": labels}
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns).save_to_disk(made / "data", num_shards=2)
    return made


def test_a_folder_is_learnt_from_behind_the_walls_by_either_reader(folder: Path) -> None:
    settings = TrainingSection(local_epochs=5, batch_size=10, learning_rate=Decimal("0.1"))
    results = []
    for name in ("Told", "Library"):
        with Trainer(f"{folder / 'mine.py'}:{name}", folder / "data") as trainer:
            assert {wall.name for wall in trainer.walls if wall.stands} >= {"files", "network"}
            assert trainer.inspect().class_counts == {0: 30, 1: 30}
            results.append(trainer.train(trainer.initial_model(1), settings, seed=5))
    told, library = results
    assert told.update["weight"].tobytes() == library.update["weight"].tobytes()
    assert told.metrics["accuracy"] > 0.9
    assert told.metrics["auroc"] > 0.9
    assert math.isclose(told.metrics["f1"], told.metrics["accuracy"], abs_tol=0.1)
