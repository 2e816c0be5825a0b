"""Time plain PyTorch doing federated learning in one process: the floor for everything else.

Digits over ten sites, twenty rounds, one local epoch, batches of 32. No chain,
no store, no walls, no audit: what remains is the learning.
"""

from __future__ import annotations

import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks._figures import show
from fednet.domain.sections import TrainingSection
from fednet.learning import baseline, partition

MINUTES = 0.3, 0.3
SITES = 10
ROUNDS = 20
TASK = "digits"


def main() -> int:
    """Print the time of a round and the accuracy at the end."""
    settings = TrainingSection(local_epochs=1, batch_size=32, learning_rate=Decimal("0.1"))
    task = baseline.built_in_task(TASK)
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as folder:
        sites, held_out = partition.even(TASK, SITES).write(Path(folder))
        began = time.perf_counter()
        metrics = baseline.federated(task, sites, held_out, settings, ROUNDS, 0)
        seconds = time.perf_counter() - began
    what = f"{TASK}, {SITES} sites, {ROUNDS} rounds, one process"
    show("plain", f"{what}: a round", round(seconds / ROUNDS, 3), "s")
    show("plain", f"{what}: accuracy at the end", round(metrics[-1]["accuracy"], 3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
