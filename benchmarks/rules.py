"""Every robust rule, beside the straightforward NumPy form on one stacked array, in one run.

Ours goes from files to the last byte of the next state in its file, its hash
included, on two threads; the other starts with the updates in memory and
includes stacking them. Each is measured in a process of its own, so that its
peak of memory is its own too: ours a few times, of which the median counts, the
other once. Then ours goes once more on one thread: the states must be the same.
Processor time is told beside time: it is the fairer figure where others use the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks._figures import show, tell
from benchmarks._stacked import CLIPPINGS, NORM, STACKED, STEPS, hostile_among
from benchmarks._updates import combine, input_paths, peak_bytes, write_inputs
from fednet.aggregation import Rule
from fednet.aggregation.centres import CentredClipping, GeometricMedian, NormBounding
from fednet.aggregation.coordinates import Median, TrimmedMean
from fednet.aggregation.krum import Bulyan, Krum, MultiKrum
from fednet.codec import TensorFile
from fednet.domain.tensors import FloatArray

MINUTES = 6, 6
REPEATS = 3
THREADS = 2
WARM_UP_ELEMENTS = 4_096
LEAST_RATIO = 5
PROMISED = ("median", "trimmed-mean", "krum", "geometric-median")
"""Rules of which the ratio is promised; of the others it is told."""
MOST_MODELS = 8

RULES: dict[str, Callable[[int, str | None], Rule]] = {
    "median": lambda hostile, kernel: Median(kernel),
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "multi-krum": lambda hostile, kernel: MultiKrum(hostile, 0, kernel),
    "bulyan": Bulyan,
    "geometric-median": lambda hostile, kernel: GeometricMedian(STEPS, kernel),
    "norm-bounding": lambda hostile, kernel: NormBounding(NORM, kernel),
    "centred-clipping": lambda hostile, kernel: CentredClipping(NORM, CLIPPINGS, kernel),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures; return 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path(".fednet/bench"))
    parser.add_argument("--rules", nargs="*", choices=list(RULES), default=list(RULES))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        form, name, folder = options.measure
        measure = _measure_stacked if form == "stacked" else _measure_ours
        print(json.dumps(measure(name, Path(folder))))
        return 0
    what = f"{options.updates} updates of {options.elements:,} float32"
    options.folder.mkdir(parents=True, exist_ok=True)
    holds = True
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="rules-") as name:
        folder = Path(name)
        tell("rules", f"writing {what}")
        write_inputs(folder, options.updates, options.elements)
        for rule in options.rules:
            ours, stacked = (_run(form, rule, folder) for form in ("ours", "stacked"))
            holds &= _show(rule, what, ours, stacked)
    return 0 if holds else 1


def _show(rule: str, what: str, ours: dict[str, float], stacked: dict[str, float]) -> bool:
    def ratio(kind: str) -> float:
        return round(stacked[kind] / ours[kind], 1)

    least = LEAST_RATIO if rule in PROMISED else None
    return all(
        [
            show("rules", f"{rule}, {what}: time of stacked NumPy over ours", ratio("seconds"),
                 "times", at_least=least),
            show("rules", f"{rule}: the same of processor time", ratio("cpu_seconds"), "times"),
            show("rules", f"{rule}: ours, {THREADS} threads", ours["seconds"], "s"),
            show("rules", f"{rule}: ours, 1 thread", ours["one_thread_seconds"], "s"),
            show("rules", f"{rule}: stacked NumPy", stacked["seconds"], "s"),
            show("rules", f"{rule}: peak memory", ours["models"], "models", at_most=MOST_MODELS),
            show("rules", f"{rule}: peak memory of stacked NumPy", stacked["models"], "models"),
            show("rules", f"{rule}: the same bytes on 1 thread and on {THREADS}",
                 ours["same"], at_least=1),
        ]
    )  # fmt: skip


def _run(form: str, rule: str, folder: Path) -> dict[str, float]:
    tell("rules", f"{rule}, {form}")
    command = [sys.executable, "-m", "benchmarks.rules", "--measure", form, rule, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure_ours(name: str, folder: Path) -> dict[str, float]:
    paths = input_paths(folder)
    hostile = hostile_among(len(paths) - 1)
    _warm_up(RULES[name](hostile, "numba"), folder)
    before = peak_bytes()
    seconds, cpu_seconds, states = [], [], set()
    for threads in (*[THREADS] * REPEATS, 1):
        began, cpu_began = time.perf_counter(), time.process_time()
        states.add(combine(RULES[name](hostile, None), paths, folder / "next", threads))
        seconds.append(round(time.perf_counter() - began, 3))
        cpu_seconds.append(round(time.process_time() - cpu_began, 3))
    return {
        "seconds": statistics.median(seconds[:REPEATS]),
        "cpu_seconds": statistics.median(cpu_seconds[:REPEATS]),
        "one_thread_seconds": seconds[-1],
        "models": _models(paths, before),
        "same": int(len(states) == 1),
    }


def _warm_up(rule: Rule, folder: Path) -> None:
    """Load what numba compiled before, which a node does once in its life."""
    small = folder / "small"
    if not small.exists():
        small.mkdir()
        write_inputs(small, len(input_paths(folder)) - 1, WARM_UP_ELEMENTS)
    combine(rule, input_paths(small), small / "next", 1)


def _measure_stacked(name: str, folder: Path) -> dict[str, float]:
    _, *paths = input_paths(folder)
    before = peak_bytes()
    arrays = [_read(path) for path in paths]
    began, cpu_began = time.perf_counter(), time.process_time()
    stack = [np.stack(arrays)]
    arrays.clear()  # as many gigabytes as the stack, which the rule may let go of too
    STACKED[name](stack.pop())
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - cpu_began, 3),
        "models": _models(paths, before),
    }


def _read(path: Path) -> FloatArray:
    with TensorFile(path, path.stem) as file:
        values = np.empty(file.element_count, np.float32)
        file.read_into(0, values)
    return values


def _models(paths: Sequence[Path], before: int) -> float:
    """Return by how many models this process has grown at most."""
    return round((peak_bytes() - before) / paths[0].stat().st_size, 2)


if __name__ == "__main__":
    raise SystemExit(main())
