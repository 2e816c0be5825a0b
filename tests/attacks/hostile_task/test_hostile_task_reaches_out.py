"""A task tries to read, write, connect, start and debug what is not its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fednet.errors import TaskError
from fednet.learning import Trainer

Visit = Callable[..., Trainer]


@pytest.fixture(scope="module")
def secret_descriptor(home: Path) -> Iterator[int]:
    """Hold the keystore open and inheritable, as careless code in a node might."""
    descriptor = os.open(home / "keystores" / "key.json", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(scope="module")
def behind_walls(visit: Visit, secret_descriptor: int) -> dict[str, float]:
    os.environ["FEDNET_PASSWORD"] = "secret"
    try:
        with visit("TriesEverything") as trainer:
            model = trainer.initial_model(0)
            return trainer.evaluate(model, on="private")
    finally:
        del os.environ["FEDNET_PASSWORD"]


@pytest.fixture(scope="module")
def without_walls(
    home: Path, source: Path, secret_descriptor: int, behind_walls: dict[str, float]
) -> dict[str, float]:
    """Run the same attempts afterwards in a plain process, as a control."""
    parent = (
        "import os, subprocess, sys\n"
        "sys.exit(subprocess.run([sys.executable, sys.argv[1]], close_fds=False).returncode)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent, str(source / "attempts.py")],
        env={**os.environ, "FEDNET_PASSWORD": "secret"},
        cwd=home,
        close_fds=False,
        capture_output=True,
        check=True,
    )
    outcome: dict[str, float] = json.loads(done.stdout)
    return outcome


def test_hostile_task_is_refused(attempt: str, behind_walls: dict[str, float]) -> None:
    assert behind_walls[attempt] == 0


def test_the_same_attempt_works_without_walls(
    attempt: str, without_walls: dict[str, float]
) -> None:
    assert without_walls[attempt] == 1


def test_hostile_task_that_stumbles_over_a_wall_is_named(visit: Visit) -> None:
    with visit("ReadsTheKeystore") as trainer, pytest.raises(TaskError) as caught:
        trainer.inspect()
    assert "outside its walls" in caught.value.message
    assert "key.json" in str(caught.value.actual)
    assert caught.value.subject == "load"
    assert "only the node" not in str(caught.value)


def test_code_outside_of_the_digest_cannot_be_imported(visit: Visit, source: Path) -> None:
    assert (source / "uncovered.py").exists()
    with visit("ImportsUncovered") as trainer, pytest.raises(TaskError) as caught:
        trainer.inspect()
    assert "ModuleNotFoundError" in str(caught.value.actual)


def test_honest_task_passes_behind_the_same_walls(visit: Visit) -> None:
    with visit("Honest") as trainer:
        assert trainer.inspect().examples == 8
        assert trainer.evaluate(trainer.initial_model(0), on="private") == {"rows": 8.0}
        assert all(wall.stands for wall in trainer.walls if wall.essential)


def test_nothing_was_planted(home: Path, behind_walls: dict[str, float]) -> None:
    assert behind_walls["write_outside_of_scratch"] == 0
    assert Path(home / "data" / "mine.csv").read_text() == "a,b\n1,2\n"
