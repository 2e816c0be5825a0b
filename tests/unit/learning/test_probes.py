"""What a task may answer when it is asked what an update betrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fednet.errors import TaskError
from fednet.learning import probes

ANSWER: dict[str, Any] = {
    "examples": 4,
    "likeness": {"likeness": "0.5", "chance": "1", "shuffled": "0.25", "influence": "0"},
    "stretches": 3,
    "left_out": 0,
}
ARRAYS = {name: np.ones(4, np.float32) for name in (*probes.MEASURED, "gradients")}


def test_an_answer_is_read() -> None:
    found = probes.read(ANSWER, ARRAYS)
    assert found.examples == 4
    assert found.likeness is not None
    assert (found.likeness.likeness, found.likeness.stretches) == (0.5, 3)
    assert set(found.losses) == set(probes.MEASURED)
    assert probes.read({"examples": 0}, {}).likeness is None


@pytest.mark.parametrize(
    "change",
    [
        {"examples": -1},
        {"examples": "4"},
        {"stretches": None},
        {"likeness": {"likeness": "0.5"}},
        {"likeness": {**ANSWER["likeness"], "chance": "1.5"}},
        {"likeness": {**ANSWER["likeness"], "influence": "nan"}},
        {"likeness": "0.5"},
    ],
)
def test_strange_numbers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(TaskError):
        probes.read(ANSWER | change, ARRAYS)


@pytest.mark.parametrize(
    "change",
    [
        {"members_before": np.ones(3, np.float32)},
        {"others_after": np.ones((4, 1), np.float32)},
        {"gradients": -np.ones(4, np.float32)},
        {"secrets": np.ones(4, np.float32)},
    ],
)
def test_strange_arrays_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(TaskError):
        probes.read(ANSWER, ARRAYS | change)


def test_losses_of_one_side_only_are_refused() -> None:
    with pytest.raises(TaskError):
        probes.read(ANSWER, {"members_before": ARRAYS["members_before"]})
