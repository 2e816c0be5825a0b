"""What real updates betray: honest ones pass the airlock, those with records in them do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from fednet.airlock import Airlock, Check, Passage, Trace, Verdict, policy_of
from fednet.cli.training import SiteTrainer
from fednet.codec import open_update, write_state, write_update
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout
from fednet.domain.update import Manifest, Place
from fednet.learning import Task, Trainer, find_task
from fednet.learning.partition import Split, even
from fednet.learning.tasks.breast_cancer import BreastCancer
from fednet.learning.tasks.digits import Digits
from fednet.learning.visit import Visit
from fednet.node.ports import TrainingResult

Arrays = Mapping[str, FloatArray]
POLICY = policy_of(
    {
        "data": {"minimum_examples": 30, "minimum_per_class": 2},
        "content": {
            "maximum_likeness": 0.95,
            "least_weight": 0.25,
            "maximum_influence": 0.8,
            "maximum_advantage": 0.3,
            "minimum_effective_examples": 10,
            "minimum_mixing": 5,
            "held_out": "held-out.csv",
        },
    },
    "policy",
)
TASKS: dict[str, type[Task]] = {"breast-cancer": BreastCancer, "digits": Digits}
SALT = Digest(b"\x05" * 32)


@dataclass
class Clinic:
    """Sites of one task in one process, and the state that they train on."""

    visit: Visit
    task: str
    plan: Plan
    state: dict[str, FloatArray]
    folder: Path

    def site(self, name: str) -> SiteTrainer:
        return SiteTrainer(
            lambda source: Trainer.joining(self.visit, name, held_out="held-out"), self.task
        )

    @property
    def state_path(self) -> Path:
        path = self.folder / "state"
        write_state(path, self.state)
        return path

    def place(self, round_number: int) -> Place:
        return Place(31337, Address("0x" + "ab" * 20), RunId(1), RoundNumber(round_number), 1)

    def train(self, name: str, number: int, round_number: int = 1) -> TrainingResult:
        return self.site(name).train(
            self.plan, self.state_path, self.place(round_number), SiteId(number), self.folder,
            {}, 0, Event(),
        )  # fmt: skip

    def pass_out(self, name: str, result: TrainingResult, **policy: Any) -> Passage:
        """Write what was trained to a file, and put that to the airlock as a node does."""
        shape = StateShape.of_state(self.plan, Layout.of(self.state))
        manifest = Manifest(
            self.place(1), SiteId(1), Commitment(bytes(32)), result.examples, SALT, result.steps
        )
        path = self.folder / "update"
        write_update(path, result.arrays, manifest, self.plan.update)
        airlock = Airlock(POLICY)
        with open_update(path, "update", self.plan, shape) as file:
            flat = np.empty(file.element_count, np.float32)
            file.read_into(0, flat)
            count = file.element_count
        passage = airlock.examine(
            lambda: open_update(path, "update", self.plan, shape),
            path.stat().st_size, shape, self.plan, manifest,
        )  # fmt: skip
        trace = Trace(
            self.plan, self.state_path, _named(flat, result.arrays), 0, result.steps, result.kept
        )
        exposure = self.site(name).measure(POLICY, trace, Event())
        return airlock.judge(passage, exposure, result.steps, count)


def _named(flat: FloatArray, like: Arrays) -> dict[str, FloatArray]:
    found, start = {}, 0
    for name in sorted(like):
        found[name] = flat[start : start + like[name].size].reshape(like[name].shape)
        start += like[name].size
    return found


def open_clinic(task: str, split: Split, folder: Path) -> Iterator[Clinic]:
    paths, held_out = split.write(folder / "data")
    head, *rows = paths[0].read_text().splitlines()
    other = next(row for row in rows if row.rpartition(",")[2] != rows[5].rpartition(",")[2])
    (folder / "data" / "pair.csv").write_text("\n".join((head, rows[5], other, "")))
    named = {path.stem: path for path in paths[:4]}
    named |= {"held-out": held_out, "pair": folder / "data" / "pair.csv"}
    source = find_task(task)
    with Visit(source, named) as visit:
        state = Trainer.joining(visit, "site-1").initial_model(1)
        write_state(folder / "initial", state)
        plan = Plan.validated(
            {
                "name": "exposure",
                "rounds": 9,
                "task": {"source": task, "digest": str(source.digest)},
                "model": {
                    "commitment": str(Commitment.of((folder / "initial").read_bytes())),
                    "size_bytes": (folder / "initial").stat().st_size,
                },
                "training": {"local_epochs": 2, "batch_size": 16, "learning_rate": 0.1},
            },
            "plan",
        )
        yield Clinic(visit, task, plan, dict(state), folder)


@pytest.fixture(scope="module")
def tumours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    yield from open_clinic(
        "breast-cancer", even("breast-cancer", 4), tmp_path_factory.mktemp("tumours")
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    yield from open_clinic("digits", even("digits", 8), tmp_path_factory.mktemp("digits"))


def refusals(passage: Passage) -> list[Check]:
    return [check for check in passage.checks if check.verdict is not Verdict.PASSED]


def honest_rounds(clinic: Clinic, rounds: int) -> int:
    """Train rounds from each other at four sites, and require that every update passes."""
    passed, start = 0, clinic.state
    for number in range(1, rounds + 1):
        results = [clinic.train(f"site-{site}", site, number) for site in range(1, 5)]
        for site, result in enumerate(results, 1):
            passage = clinic.pass_out(f"site-{site}", result)
            assert not refusals(passage), (number, site, refusals(passage))
            assert len(passage.checks) == 14
            passed += 1
        clinic.state = {
            name: np.float32(value + np.mean([each.arrays[name] for each in results], axis=0))
            for name, value in clinic.state.items()
        }
    clinic.state = start
    return passed


def test_twenty_honest_updates_pass(tumours: Clinic, digits: Clinic) -> None:
    assert honest_rounds(tumours, 3) + honest_rounds(digits, 2) == 20


def plant_row(honest: TrainingResult, record: FloatArray, at: int) -> TrainingResult:
    """Write a record into an update, as large as what stands around it."""
    name = max(honest.arrays, key=lambda each: honest.arrays[each].size)
    array = honest.arrays[name].copy()
    size = np.linalg.norm(array) / array.shape[0] ** 0.5
    array.reshape(-1)[at : at + record.size] = record * size / np.linalg.norm(record)
    return replace(honest, arrays={**honest.arrays, name: array})


@pytest.mark.parametrize("task", ["tumours", "digits"])
@pytest.mark.parametrize("at", [0, 23])
def test_a_record_that_is_written_into_an_update_is_stopped(
    task: str, at: int, request: pytest.FixtureRequest
) -> None:
    clinic = request.getfixturevalue(task)
    record = TASKS[clinic.task]().load(clinic.visit.datasets["site-1"]).features[5].numpy()
    planted = plant_row(clinic.train("site-1", 1), record, at)
    passage = clinic.pass_out("site-1", planted)
    assert "content.maximum_likeness" in [check.name for check in refusals(passage)]
    found = passage.figure("content.maximum_likeness")
    assert found is not None
    assert found > 0.999


@pytest.mark.parametrize("task", ["tumours", "digits"])
def test_an_update_of_two_records_is_stopped_in_every_way(
    task: str, request: pytest.FixtureRequest
) -> None:
    clinic = request.getfixturevalue(task)
    stopped = {check.name for check in refusals(clinic.pass_out("pair", clinic.train("pair", 9)))}
    assert stopped >= {
        "data.minimum_examples",
        "data.minimum_per_class",
        "content.maximum_likeness",  # of fewer than twenty records nothing can be said
        "content.maximum_advantage",
        "content.minimum_effective_examples",
    }


def test_two_records_that_hide_behind_a_sites_other_data_are_found(digits: Clinic) -> None:
    pair = replace(digits.train("pair", 9), examples=150, steps=20)
    stopped = {check.name for check in refusals(digits.pass_out("site-1", pair))}
    assert "content.maximum_likeness" in stopped


def test_many_epochs_on_few_records_show_in_the_advantage(digits: Clinic) -> None:
    training = digits.plan.training.model_copy(update={"local_epochs": 100})
    eager = replace_plan(digits, digits.plan.model_copy(update={"training": training}))
    once = digits.pass_out("site-1", digits.train("site-1", 1))
    often = eager.pass_out("site-1", eager.train("site-1", 1))
    before, after = (each.figure("content.maximum_advantage") for each in (once, often))
    assert before is not None
    assert after is not None
    assert after > before + 0.1


def replace_plan(clinic: Clinic, plan: Plan) -> Clinic:
    return replace(clinic, plan=plan)


def test_measuring_is_halted_when_nobody_needs_it(tumours: Clinic) -> None:
    halt = Event()
    halt.set()
    result = tumours.train("site-1", 1)
    trace = Trace(tumours.plan, tumours.state_path, result.arrays, 0, result.steps)
    measure: Callable[..., object] = tumours.site("site-1").measure
    with pytest.raises(Exception, match="halted"):
        measure(POLICY, trace, halt)
    assert measure(POLICY, trace, Event())
