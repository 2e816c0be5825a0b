"""A task dies, breaks the protocol, or answers with something else than was asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fednet.domain.sections import TrainingSection
from fednet.errors import FednetError, TaskError, TrainingError
from fednet.learning import Trainer

Visit = Callable[..., Trainer]


def _train(trainer: Trainer) -> None:
    trainer.train(trainer.initial_model(0), TrainingSection(), seed=1)


def test_hostile_task_exits_and_the_next_request_starts_it_again(visit: Visit) -> None:
    with visit("Exits") as trainer:
        with pytest.raises(TaskError) as caught:
            trainer.inspect()
        assert "exit status 7" in str(caught.value.actual)
        assert "a parting word" in str(caught.value.actual)
        assert trainer.initial_model(0)


@pytest.mark.parametrize("name", ["ClosesEverything", "SpeaksNonsense"])
def test_hostile_task_breaks_the_protocol_and_is_ended(visit: Visit, name: str) -> None:
    with visit(name, request_seconds=20.0) as trainer, pytest.raises(TaskError) as caught:
        trainer.inspect()
    assert caught.value.subject != "time"


def test_task_that_prints_does_not_disturb_the_protocol(visit: Visit) -> None:
    with visit("Prints") as trainer:
        assert trainer.inspect().examples == 8


@pytest.mark.parametrize(
    ("name", "error"),
    [("Diverges", TrainingError), ("SendsNaN", TrainingError), ("GrowsItsModel", TaskError)],
)
def test_hostile_task_sends_an_unfit_update(
    visit: Visit, name: str, error: type[FednetError]
) -> None:
    with visit(name) as trainer, pytest.raises(error):
        _train(trainer)


def test_model_with_whole_numbers_is_refused_with_a_remedy(visit: Visit) -> None:
    with visit("KeepsWholeNumbers") as trainer, pytest.raises(TaskError) as caught:
        trainer.initial_model(0)
    assert caught.value.subject == "num_batches_tracked"
    assert "track_running_stats" in caught.value.hint


def test_base_model_of_another_shape_is_refused(visit: Visit) -> None:
    with visit("Honest") as trainer, pytest.raises(TrainingError):
        trainer.train({"weight": np.zeros((3, 3), np.float32)}, TrainingSection(), seed=1)
