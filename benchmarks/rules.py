"""Rules that sort or compare updates, beside the straightforward NumPy form on one stacked array.

Ours goes from files to the last byte of the next state in its file, its hash
included; the other starts with the updates in memory and includes stacking
them. Both do so in one run, each in a process of its own. With 1 thread and
with 2 the states must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.aggregation import peak_bytes
from fednet.aggregation import Contribution, Rule, aggregate
from fednet.aggregation.centres import GeometricMedian
from fednet.aggregation.coordinates import Median, TrimmedMean
from fednet.aggregation.krum import Krum
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import SiteId
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray

REPEATS = 3
ITERATIONS = 8
WARM_UP_ELEMENTS = 4_096
LEAST_RATIO = 5
MOST_MODELS = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path(".fednet/bench"))
    parser.add_argument("--rules", nargs="*", choices=list(RULES), default=list(RULES))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        form, name, folder = options.measure
        measure = _measure_plain if form == "plain" else _measure_ours
        print(json.dumps(measure(name, Path(folder))))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="rules-") as name:
        folder = Path(name)
        _write_inputs(folder, options.updates, options.elements)
        for rule in options.rules:
            ours, plain = (_run(form, rule, folder) for form in ("ours", "plain"))
            _print(rule, f"{options.updates} updates of {options.elements:,} float32", ours, plain)
    return 0


def _print(rule: str, what: str, ours: dict[str, float], plain: dict[str, float]) -> None:
    print(json.dumps({"rule": rule, "ours": ours, "plain": plain}), file=sys.stderr)
    ratio = {
        "figure": f"{rule}, {what}: time of stacked NumPy over ours",
        "value": round(plain["seconds"] / ours["seconds"], 1),
        "limit": LEAST_RATIO,
        "at_least": True,
    }
    seconds = {"figure": f"{rule}: ours", "value": ours["seconds"], "unit": "s"}
    memory = {
        "figure": f"{rule}: peak memory",
        "value": ours["peak_models"],
        "unit": "models",
        "limit": MOST_MODELS,
    }
    for figure in (ratio, seconds, memory):
        print(json.dumps({"benchmark": "rules"} | figure), flush=True)


def _run(form: str, rule: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.rules", "--measure", form, rule, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _write_inputs(folder: Path, updates: int, elements: int) -> None:
    draw = np.random.default_rng(0)
    common = draw.standard_normal(elements, np.float32)
    values = np.empty_like(common)
    for number in range(updates + 1):
        draw.standard_normal(out=values, dtype=np.float32)
        np.add(values, common, out=values)
        write_state(folder / f"{number}.safetensors", {"values": values})


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))


def _measure_ours(name: str, folder: Path) -> dict[str, float]:
    paths = _paths(folder)
    hostile = (len(paths) - 1) // 5
    _warm_up(RULES[name](hostile, "numba"), folder)
    before = peak_bytes()
    states, best = set(), float("inf")
    for threads in (*[min(2, os.cpu_count() or 1)] * REPEATS, 1):
        begun = time.perf_counter()
        files = [TensorFile(path, path.stem) for path in paths]
        state = _combine(RULES[name](hostile, None), files, folder / "next", threads)
        if threads > 1 or os.cpu_count() == 1:
            best = min(best, time.perf_counter() - begun)
        states.add(state)
        for file in files:
            file.close()
    if len(states) != 1:
        raise RuntimeError(f"{name}: the number of threads changed the state")
    model = paths[0].stat().st_size
    return {"seconds": round(best, 3), "peak_models": round((peak_bytes() - before) / model, 2)}


def _combine(rule: Rule, files: Sequence[TensorFile], target: Path, threads: int) -> str:
    base, *updates = files
    entries = [Contribution(SiteId(at + 1), 1, file) for at, file in enumerate(updates)]
    shape = StateShape.plain(base.layout)
    return str(aggregate(lambda _: (rule, {}), shape, base, entries, target, threads)[0].commitment)


def _warm_up(rule: Rule, folder: Path) -> None:
    """Load what numba compiled before, which a node does once in its life."""
    small = folder / "small"
    small.mkdir(exist_ok=True)
    _write_inputs(small, 50, WARM_UP_ELEMENTS)
    files = [TensorFile(path, path.stem) for path in _paths(small)]
    _combine(rule, files, small / "next", 1)
    for file in files:
        file.close()


def _measure_plain(name: str, folder: Path) -> dict[str, float]:
    _, *paths = _paths(folder)
    arrays = [_read(path) for path in paths]
    begun = time.perf_counter()
    PLAIN[name](np.stack(arrays))
    return {"seconds": round(time.perf_counter() - begun, 3)}


def _read(path: Path) -> FloatArray:
    with TensorFile(path, path.stem) as file:
        values = np.empty(file.element_count, np.float32)
        file.read_into(0, values)
    return values


def plain_median(stacked: FloatArray) -> FloatArray:
    """Take the median of each column."""
    middle: FloatArray = np.median(stacked, axis=0)
    return middle


def plain_trimmed_mean(stacked: FloatArray) -> FloatArray:
    """Sort each column and average the middle."""
    trim = len(stacked) // 5
    middle: FloatArray = np.sort(stacked, axis=0)[trim : len(stacked) - trim].mean(axis=0)
    return middle


def plain_krum(stacked: FloatArray) -> FloatArray:
    """Compare every two rows."""
    count = len(stacked)
    squares = np.zeros((count, count))
    for one in range(count):
        for other in range(one + 1, count):
            squares[one, other] = np.linalg.norm(stacked[one] - stacked[other]) ** 2
            squares[other, one] = squares[one, other]
    nearest = np.sort(squares, axis=1)[:, 1 : count - count // 5 - 1]
    chosen: FloatArray = stacked[nearest.sum(axis=1).argmin()]
    return chosen


def plain_geometric_median(stacked: FloatArray) -> FloatArray:
    """Iterate on vectors."""
    centre: FloatArray = stacked.mean(axis=0)
    for _ in range(ITERATIONS):
        weights = 1 / np.maximum(np.linalg.norm(stacked - centre, axis=1), 1e-6)
        centre = np.matmul((weights / weights.sum()).astype(np.float32), stacked)
    return centre


RULES: dict[str, Callable[[int, str | None], Rule]] = {
    "median": lambda hostile, kernel: Median(kernel),
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "geometric-median": lambda hostile, kernel: GeometricMedian(ITERATIONS, kernel),
}
PLAIN: dict[str, Callable[[FloatArray], FloatArray]] = {
    "median": plain_median,
    "trimmed-mean": plain_trimmed_mean,
    "krum": plain_krum,
    "geometric-median": plain_geometric_median,
}


if __name__ == "__main__":
    raise SystemExit(main())
