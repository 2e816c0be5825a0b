from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Event, Timer

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from fednet.domain.sections import TrainingSection
from fednet.domain.tensors import TensorSpec
from fednet.errors import DataError, SettingsError, TaskError
from fednet.learning import (
    LocalTerms,
    ProbeOrder,
    Trainer,
    Wall,
    find_task,
    load_table,
    probe_walls,
)
from fednet.learning.partition import hospitals
from fednet.learning.sandbox import require_walls
from fednet.learning.tasks import breast_cancer
from fednet.learning.tasks.breast_cancer import BreastCancer
from fednet.learning.visit import Visit

SETTINGS = TrainingSection(local_epochs=2, batch_size=16, learning_rate=Decimal("0.1"))
HALTED_WITHIN_SECONDS = 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Path, ...], Path]:
    # a path with a space in it, as on the machines of the people we write for
    return hospitals().write(tmp_path_factory.mktemp("our data"))


@pytest.fixture(scope="module")
def trainer(files: tuple[tuple[Path, ...], Path]) -> Iterator[Trainer]:
    with Trainer("breast-cancer", files[0][0], held_out=files[1]) as started:
        yield started


def test_inspect_describes_data_and_model(trainer: Trainer) -> None:
    found = trainer.inspect()
    assert found.layout.tensors == (TensorSpec("bias", (2,)), TensorSpec("weight", (2, 30)))
    assert found.examples == 156
    assert found.class_counts == {0: 131, 1: 25}


def test_initial_model_follows_its_seed(trainer: Trainer) -> None:
    one, again, other = (trainer.initial_model(seed) for seed in (1, 1, 2))
    assert one["weight"].tobytes() == again["weight"].tobytes()
    assert one["weight"].tobytes() != other["weight"].tobytes()


def test_a_training_that_nobody_needs_is_halted_and_the_next_one_goes_on(trainer: Trainer) -> None:
    base, halt = trainer.initial_model(1), Event()
    endless = TrainingSection(local_epochs=10_000, batch_size=1)
    timer = Timer(0.3, halt.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(TaskError, match="halted"):
        trainer.train(base, endless, seed=1, halt=halt)
    assert time.monotonic() - began < HALTED_WITHIN_SECONDS
    timer.join()
    assert trainer.train(base, SETTINGS, seed=5).examples == 156


def test_train_repeats_its_bytes_in_another_process(
    trainer: Trainer, files: tuple[tuple[Path, ...], Path]
) -> None:
    base = trainer.initial_model(1)
    first, again = (trainer.train(base, SETTINGS, seed=5) for _ in range(2))
    with Trainer("breast-cancer", files[0][0]) as elsewhere:
        third = elsewhere.train(base, SETTINGS, seed=5)
    both = {"one": files[0][0], "two": files[0][1]}
    with Visit(find_task("breast-cancer"), both) as visit:
        shared = [Trainer.joining(visit, name) for name in both]
        assert shared[1].inspect().examples != first.examples
        process = visit._sandbox
        shared[1].close()
        visit.start()
        beside = shared[0].train(base, SETTINGS, seed=5)
        assert visit._sandbox is process  # neither ended by a guest nor started twice
    for name, array in first.update.items():
        assert array.dtype == np.float32
        assert array.tobytes() == again.update[name].tobytes()
        assert array.tobytes() == third.update[name].tobytes() == beside.update[name].tobytes()
    assert list(first.update) == ["bias", "weight"]
    assert first.examples == 156
    assert first.loss == again.loss
    assert first.metrics["accuracy"] > 0.8
    other = trainer.train(base, SETTINGS, seed=6)
    assert other.update["weight"].tobytes() != first.update["weight"].tobytes()


def test_probe_measures_the_losses_of_the_model_before_and_after(trainer: Trainer) -> None:
    base = trainer.initial_model(1)
    update = trainer.train(base, SETTINGS, seed=1).update
    order = ProbeOrder(losses=True, gradients=True, records=True)
    found = trainer.probe(base, update, SETTINGS, LocalTerms(), order)
    assert {name: len(each) for name, each in found.losses.items()} == {
        "members_before": 156, "members_after": 156, "others_before": 171, "others_after": 171,
    }  # fmt: skip
    after = {name: base[name] + update[name] for name in base}
    for model, name in ((base, "members_before"), (after, "members_after")):
        mean = trainer.loss(model, SETTINGS, LocalTerms())
        assert float(np.mean(found.losses[name])) == pytest.approx(mean, rel=1e-4)
    assert (found.examples, len(found.gradients)) == (156, 156)
    assert found.likeness is not None
    assert found.likeness.stretches == 2 + 31  # two rows, then every stretch of the vector
    again = trainer.probe(base, update, SETTINGS, LocalTerms(), order)
    assert again.likeness == found.likeness
    assert again.gradients.tobytes() == found.gradients.tobytes()


def test_probe_finds_a_record_in_what_leaves_beside_the_update(trainer: Trainer) -> None:
    base = trainer.initial_model(1)
    update = trainer.train(base, SETTINGS, seed=1).update
    record = BreastCancer().load(trainer._visit.datasets["private"]).features[3].numpy()
    control = {"weight": np.stack([record, update["weight"][1]])}
    order = ProbeOrder(records=True)
    alone = trainer.probe(base, update, SETTINGS, LocalTerms(), order).likeness
    beside = trainer.probe(base, update, SETTINGS, LocalTerms(control=control), order).likeness
    assert alone is not None
    assert beside is not None
    assert alone.likeness < 0.95
    assert beside.likeness > 0.999


def test_probe_leaves_out_what_nobody_asked_for(trainer: Trainer) -> None:
    base = trainer.initial_model(1)
    found = trainer.probe(base, base, SETTINGS, LocalTerms(), ProbeOrder())
    assert (found.losses, len(found.gradients), found.likeness) == ({}, 0, None)


def test_train_without_epochs_gives_zeros(trainer: Trainer) -> None:
    update = trainer.train(trainer.initial_model(1), TrainingSection(local_epochs=0), seed=1).update
    assert not any(array.any() for array in update.values())


def test_update_improves_the_held_out_metrics(trainer: Trainer) -> None:
    base = trainer.initial_model(1)
    update = trainer.train(base, SETTINGS, seed=1).update
    after = trainer.evaluate({name: base[name] + update[name] for name in base})
    assert after["accuracy"] > trainer.evaluate(base)["accuracy"]
    assert set(after) == {"accuracy", "sensitivity"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "wrong columns"), ("", "data file is empty"), (None, "data file is missing")],
)
def test_unusable_data_is_reported_by_its_own_error(
    tmp_path: Path, text: str | None, message: str
) -> None:
    path = tmp_path / "data.csv"
    if text is not None:
        path.write_text(text)
    with Trainer("breast-cancer", path) as visiting, pytest.raises(DataError) as caught:
        visiting.inspect()
    assert caught.value.message == message


def test_trainer_without_data_makes_a_model_and_nothing_else() -> None:
    with Trainer("breast-cancer") as visiting:
        model = visiting.initial_model(0)
        with pytest.raises(DataError):
            visiting.inspect()
        with pytest.raises(DataError):
            visiting.evaluate(model)


def test_parquet_and_numpy_are_read_behind_walls(
    files: tuple[tuple[Path, ...], Path], tmp_path: Path
) -> None:
    table = load_table(
        files[0][0], features=breast_cancer.FEATURES, label=breast_cancer.LABEL, classes=2
    )
    columns = dict(zip(breast_cancer.FEATURES, table.features.T, strict=True))
    parquet.write_table(
        pa.table({**columns, breast_cancer.LABEL: table.labels}), tmp_path / "data.parquet"
    )
    np.savez_compressed(tmp_path / "data.npz", features=table.features, labels=table.labels)
    with Trainer(
        "breast-cancer", tmp_path / "data.parquet", held_out=tmp_path / "data.npz"
    ) as visiting:
        assert visiting.inspect().class_counts == {0: 131, 1: 25}
        model = visiting.initial_model(0)
        assert visiting.evaluate(model) == visiting.evaluate(model, on="private")


def test_task_of_a_users_package_runs_from_its_copy(
    files: tuple[tuple[Path, ...], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "acme_visit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "lung.py").write_text(
        "from fednet.learning.tasks.breast_cancer import BreastCancer\n"
        "from .scores import extra\n"
        "class Lung(BreastCancer):\n"
        "    def metrics(self, model, data):\n"
        "        return {**super().metrics(model, data), 'extra': extra()}\n"
    )
    (package / "scores.py").write_text("def extra():\n    return 3.5\n")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    work = tmp_path / "work"
    work.mkdir()
    with Trainer("acme_visit.lung:Lung", files[0][0], folder=work) as visiting:
        assert len(list(work.iterdir())) == 2
        found = visiting.evaluate(visiting.initial_model(0), on="private")
    assert found["extra"] == 3.5
    assert list(work.iterdir()) == []


def test_class_that_is_not_a_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("class Mine:\n    pass\n")
    with pytest.raises(TaskError, match="not a task"):
        Trainer(f"{tmp_path}/task.py:Mine").start()


def test_walls_stand_here() -> None:
    walls = probe_walls()
    assert {wall.name for wall in walls if wall.essential} == {"files", "network"}
    assert all(wall.stands for wall in walls if wall.essential)


def test_missing_essential_wall_sends_the_task_away_unless_accepted() -> None:
    walls = (Wall("files", False, "Landlock: not here"), Wall("network", True, "seccomp"))
    with pytest.raises(SettingsError) as caught:
        require_walls(walls, ())
    assert caught.value.subject == "files"
    assert caught.value.actual == "Landlock: not here"
    require_walls(walls, ("files",))
    with pytest.raises(SettingsError):
        require_walls(walls[:1], ("files",))
