from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

from fednet.domain.sections import TrainingSection
from fednet.errors import TrainingError
from fednet.learning import Trainer
from fednet.learning.baseline import built_in_task
from fednet.learning.partition import hospitals
from fednet.learning.state import write_state
from fednet.learning.values import LocalTerms

SETTINGS = TrainingSection(local_epochs=2, batch_size=16, learning_rate=Decimal("0.1"))


def test_the_model_that_was_trained_here_has_the_lower_loss(tmp_path: Path) -> None:
    data = hospitals().write(tmp_path)[0][0]
    with Trainer("breast-cancer", data) as trainer:
        before = trainer.initial_model(0)
        update = trainer.train(before, SETTINGS, 3).update
        after = {name: before[name] + update[name] for name in before}
        low, high = (trainer.loss(base, SETTINGS, LocalTerms()) for base in (after, before))
        assert low < high
        with pytest.raises(TrainingError, match="does not fit"):
            trainer.loss({"bias": before["bias"]}, SETTINGS, LocalTerms())
        flipped = {name: np.asarray(-3e38 * np.sign(after[name]), np.float32) for name in after}
        with pytest.raises(TrainingError, match="not finite"):
            trainer.loss(flipped, SETTINGS, LocalTerms())
    task = built_in_task("breast-cancer")
    model = task.model()
    write_state(model, after)
    with torch.no_grad():
        assert low == pytest.approx(float(task.loss(model, task.load(data))), rel=1e-6)
