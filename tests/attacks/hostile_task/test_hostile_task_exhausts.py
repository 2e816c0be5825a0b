"""A task takes more memory, threads, space or time than it may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fednet.errors import TaskError
from fednet.learning import Trainer

Visit = Callable[..., Trainer]


def test_hostile_task_takes_memory_and_is_refused_it(visit: Visit) -> None:
    with visit("TakesMemory") as trainer:
        with pytest.raises(TaskError) as caught:
            trainer.inspect()
        assert "more memory" in caught.value.message
        assert trainer.initial_model(0)


@pytest.mark.parametrize(
    ("name", "subject"),
    [("TakesSharedMemory", "memory"), ("TakesThreads", "threads"), ("TakesDisk", "scratch")],
)
def test_hostile_task_takes_too_much_and_is_ended(visit: Visit, name: str, subject: str) -> None:
    with visit(name) as trainer, pytest.raises(TaskError) as caught:
        trainer.inspect()
    assert caught.value.subject == subject
    assert isinstance(caught.value.actual, int)
    assert isinstance(caught.value.expected, int)
    assert caught.value.actual > caught.value.expected


@pytest.mark.parametrize("name", ["Sleeps", "SleepsWithTheLock"])
def test_hostile_task_runs_out_of_time_and_starts_again(visit: Visit, name: str) -> None:
    with visit(name, request_seconds=0.5) as trainer:
        with pytest.raises(TaskError) as caught:
            trainer.inspect()
        assert caught.value.subject == "time"
        assert not trainer.walls or trainer.walls[0].stands
    with visit(name) as trainer:
        assert trainer.initial_model(0)
