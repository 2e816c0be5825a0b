from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fednet.errors import TaskError
from fednet.learning import find_task
from fednet.learning.inprocess import imported

TASK = """
import torch
from fednet import SupervisedTask
from width import WIDTH

class Mine(SupervisedTask):
    features, label, classes = ("a",) * WIDTH, "y", 2

    def model(self):
        return torch.nn.Linear(WIDTH, 2)

class Other:
    pass
"""


def write(folder: Path, width: str) -> str:
    (folder / "mine.py").write_text(TASK)
    (folder / "width.py").write_text(width)
    return str(folder / "mine.py")


def test_an_edited_task_is_imported_anew_and_nothing_stays(tmp_path: Path) -> None:
    places = list(sys.path)
    for width in (1, 22):
        reference = write(tmp_path, f"WIDTH = {width}\n")
        with imported(find_task(f"{reference}:Mine")) as task:
            assert task.model().weight.shape == (2, width)
        assert sys.path == places
        assert not {"mine", "width"} & set(sys.modules)


def test_a_module_of_the_same_name_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = type(sys)("width")
    monkeypatch.setitem(sys.modules, "width", ours)
    with imported(find_task(f"{write(tmp_path, 'WIDTH = 3')}:Mine")) as task:
        assert task.model().weight.shape == (2, 3)
    assert sys.modules["width"] is ours


@pytest.mark.parametrize(
    ("name", "width", "said"),
    [
        ("Other", "WIDTH = 1", "not a task"),
        ("Absent", "WIDTH = 1", "not a task"),
        ("Mine", "WIDTH = 1 / 0", "code failed"),
    ],
)
def test_what_is_no_task_is_refused_and_cleared_away(
    tmp_path: Path, name: str, width: str, said: str
) -> None:
    reference = write(tmp_path, width)
    with pytest.raises(TaskError, match=said), imported(find_task(f"{reference}:{name}")):
        pass
    assert not {"mine", "width"} & set(sys.modules)


def test_a_task_that_ships_is_imported_from_the_package() -> None:
    with imported(find_task("digits")) as task:
        assert type(task).__module__ == "fednet.learning.tasks.digits"
