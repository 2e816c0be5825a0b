"""Time rehearsals beside plain PyTorch doing the same learning, start-up included.

Digits, a 64-128-10 network, one local epoch, batches of 32, twenty rounds; 10
and 50 virtual sites, batched, on Anvil, with every update and the committee's
attestations on the ledger and in the store; with --full also 1,000 virtual sites
over three rounds. Each is a command of its own, so that its time, its processor
time and its memory (of all its processes together) are those that a person sees.
The two are timed in turns, several times, as the machine may change its pace; what
is shown is the pair with the middle ratio.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from benchmarks._figures import is_full, show

MINUTES = 2, 5
PAIRS = 3
ROUNDS = 20
CROWDS = (10, 50)
LARGE, LARGE_ROUNDS = 1_000, 3
COMMITTEE = 15
MOST_TIMES_PLAIN = 2.5
MOST_MEGABYTES = 1_000
_LOOK_SECONDS = 0.5
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
    full, holds = is_full(__doc__), True
    for sites in CROWDS:
        pairs = [(_learn_plainly(sites, ROUNDS), _rehearse(sites, ROUNDS)) for _ in range(PAIRS)]
        plain, played = sorted(pairs, key=_ratio)[PAIRS // 2]
        ratio = _ratio((plain, played))
        what = f"{sites} sites, {ROUNDS} rounds"
        holds &= _show(f"{what}: rehearsal over plain PyTorch", ratio, "x", MOST_TIMES_PLAIN)
        _show(f"{what}: plain PyTorch, wall time", plain.wall_seconds, "s")
        _show(f"{what}: plain PyTorch, processor time", plain.cpu_seconds, "s")
        _show(f"{what}: plain PyTorch, peak memory", plain.peak_bytes / 1e6, "MB")
        _show(f"{what}: plain PyTorch, accuracy", float(plain.output))
        holds &= _show_rehearsal(what, played)
    if full:
        what = f"{LARGE:,} sites, {LARGE_ROUNDS} rounds"
        holds &= _show_rehearsal(what, _rehearse(LARGE, LARGE_ROUNDS))
    return 0 if holds else 1


def _show(figure: str, value: float, unit: str = "", at_most: float | None = None) -> bool:
    return show("simulate", figure, round(value, 3), unit, at_most=at_most)


def _show_rehearsal(what: str, played: _Measured) -> bool:
    outcome = json.loads(played.output)["outcomes"][0]
    _show(f"{what}: rehearsal, wall time", played.wall_seconds, "s")
    _show(f"{what}: rehearsal with chain and store, processor time", played.cpu_seconds, "s")
    _show(f"{what}: rehearsal, accuracy", outcome["last"])
    megabytes = played.peak_bytes / 1e6
    return outcome["complete"] and _show(
        f"{what}: rehearsal with chain and store, peak memory", megabytes, "MB", MOST_MEGABYTES
    )


class _Measured:
    def __init__(self, output: str, wall: float, cpu: float, peak_bytes: int) -> None:
        self.output = output
        self.wall_seconds = wall
        self.cpu_seconds = cpu
        self.peak_bytes = peak_bytes


def _ratio(pair: tuple[_Measured, _Measured]) -> float:
    return pair[1].wall_seconds / pair[0].wall_seconds


def _learn_plainly(sites: int, rounds: int) -> _Measured:
    return _run([sys.executable, "-c", _PLAIN, str(sites), str(rounds)])


def _rehearse(sites: int, rounds: int) -> _Measured:
    command = [sys.executable, "-m", "fednet.cli", "simulate", "--json"]
    command += ["--sites", str(sites), "--rounds", str(rounds)]
    command += ["--set", "module.name=batched"]
    command += ["--set", f"module.committee_sites={min(COMMITTEE, sites)}"]
    return _run(command)


def _run(command: list[str]) -> _Measured:
    """Run a command to its end; what its own children used is counted with it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = _MemoryWatch(process.pid)
    output, _ = process.communicate()
    wall = time.perf_counter() - began
    peak_bytes = watch.stop()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Measured(output, wall, cpu, peak_bytes)


class _MemoryWatch:
    """Add up, now and then, what a process and its descendants take of the memory."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Return the most that was seen."""
        self._over.set()
        self._thread.join()
        return self._peak_bytes

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            found = sum(_proportional_bytes(pid) for pid in _family(self._pid))
            self._peak_bytes = max(self._peak_bytes, found)


def _family(pid: int) -> set[int]:
    """Name a process and all that descend from it."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {each for each, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _proportional_bytes(pid: int) -> int:
    """Read a process's share of the memory: what several share counts once among them."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.exit(main())
