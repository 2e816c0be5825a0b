"""Time rehearsals beside plain PyTorch doing the same learning, start-up included.

Digits, a 64-128-10 network, one local epoch, batches of 32, twenty rounds; 10
and 50 virtual sites, on Anvil, with every update and every attestation on the
ledger and in the store. Each runs in a process of its own, so that its time,
its processor time and its peak memory are those that a person sees.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

from benchmarks._figures import show

MINUTES = 2, 2
ROUNDS = 20
CROWDS = (10, 50)
_FEDNET = "from fednet.cli import main; main()"
_PLAIN = """
import sys, tempfile
from decimal import Decimal
from pathlib import Path
from fednet.domain.sections import TrainingSection
from fednet.learning import baseline, partition
sites, rounds = int(sys.argv[1]), int(sys.argv[2])
settings = TrainingSection(local_epochs=1, batch_size=32, learning_rate=Decimal("0.1"))
with tempfile.TemporaryDirectory(prefix="fednet-bench-") as folder:
    paths, held_out = partition.even("digits", sites).write(Path(folder))
    task = baseline.built_in_task("digits")
    found = baseline.federated(task, paths, held_out, settings, rounds, 0)
print(found[-1]["accuracy"])
"""


def main() -> int:
    """Print wall and processor seconds, memory and accuracy of each, and their ratio."""
    for sites in CROWDS:
        plain = _run([sys.executable, "-c", _PLAIN, str(sites), str(ROUNDS)])
        played = _run(
            [sys.executable, "-c", _FEDNET, "simulate", "--sites", str(sites), "--rounds",
             str(ROUNDS), "--json"]
        )  # fmt: skip
        accuracy = json.loads(played.output)["outcomes"][0]["last"]
        what = f"{sites} sites, {ROUNDS} rounds"
        for figure, value, unit in (
            ("plain PyTorch, wall time", plain.wall_seconds, "s"),
            ("rehearsal, wall time", played.wall_seconds, "s"),
            ("rehearsal over plain PyTorch", played.wall_seconds / plain.wall_seconds, "x"),
            ("plain PyTorch, processor time", plain.cpu_seconds, "s"),
            ("rehearsal with chain and store, processor time", played.cpu_seconds, "s"),
            ("rehearsal, peak memory of its largest process", played.peak_bytes / 1e6, "MB"),
            ("plain PyTorch, accuracy", float(plain.output), ""),
            ("rehearsal, accuracy", accuracy, ""),
        ):
            show("simulate", f"{what}: {figure}", round(value, 3), unit)
    return 0


class _Measured:
    def __init__(self, output: str, wall: float, cpu: float, peak_bytes: int) -> None:
        self.output = output
        self.wall_seconds = wall
        self.cpu_seconds = cpu
        self.peak_bytes = peak_bytes


def _run(command: list[str]) -> _Measured:
    """Run a command to its end; what its own children used is counted with it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Measured(done.stdout, wall, cpu, after.ru_maxrss * 1024)


if __name__ == "__main__":
    sys.exit(main())
