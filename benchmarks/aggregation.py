"""FedAvg over many large updates, beside this machine's own memory copy in the same run.

Bandwidth of the aggregation is the updates' bytes over
the time from opening files to the last byte of the next state in its file,
its hash included. Files come from the page cache, so this measures reading and
arithmetic, not the disk. Copies and aggregations take turns, and the best of each
counts: others may use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks._figures import show
from benchmarks._updates import combine, input_paths, peak_bytes, write_inputs
from fednet.aggregation.fedavg import FedAvg
from fednet.aggregation.kernels import choose_kernel, make_kernel
from fednet.domain.tensors import ELEMENT_SIZE_BYTES, FloatArray

MINUTES = 1, 1
COPIES = 3
REPEATS = 7
LEAST_SHARE = 0.7
MOST_MODELS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures; return 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--kernel", choices=["auto", "numpy", "numba"], default="auto")
    parser.add_argument("--folder", type=Path, default=Path(".fednet/bench"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        kernel = None if options.kernel == "auto" else options.kernel
        print(json.dumps(_measure(options.measure, kernel, options.threads)))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aggregation-") as name:
        write_inputs(Path(name), options.updates, options.elements)
        # A process of its own, so that the peak is the aggregation's.
        command = [sys.executable, "-m", "benchmarks.aggregation", "--measure", name]
        command += ["--threads", str(options.threads), "--kernel", options.kernel]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    what = f"{options.updates} updates of {options.elements:,} float32"
    holds = [
        show("fedavg", f"{what}: bandwidth over that of a memory copy",
             round(found["rate"] / found["copy_rate"], 3), at_least=LEAST_SHARE),
        show("fedavg", "a memory copy", round(found["copy_rate"] / 1e9, 2), "GB/s"),
        show("fedavg", f"ours, {options.threads} threads", found["seconds"], "s"),
        show("fedavg", f"{what}: peak memory", found["models"], "models", at_most=MOST_MODELS),
        show("fedavg", "the same bytes on 1 thread and on more", found["same"], at_least=1),
    ]  # fmt: skip
    return 0 if all(holds) else 1


def _timed_copy(source: FloatArray, target: FloatArray) -> float:
    began = time.perf_counter()
    np.copyto(target, source)
    return time.perf_counter() - began


def _measure(folder: Path, kernel: str | None, threads: int) -> dict[str, float]:
    base, *updates = paths = input_paths(folder)
    elements = base.stat().st_size // ELEMENT_SIZE_BYTES
    make_kernel(1, kernel or choose_kernel(elements * len(updates)))  # loads what is compiled
    source, target = np.ones(elements, np.float32), np.ones(elements, np.float32)
    before = peak_bytes()
    copies, seconds, states = [], [], set()
    for _ in range(REPEATS):
        copies += [_timed_copy(source, target) for _ in range(COPIES)]
        began = time.perf_counter()
        states.add(combine(FedAvg(kernel), paths, folder / "next", threads))
        seconds.append(time.perf_counter() - began)
    states.add(combine(FedAvg(kernel), paths, folder / "next", 1))
    size_bytes = elements * ELEMENT_SIZE_BYTES
    return {
        "copy_rate": size_bytes / min(copies),
        "rate": size_bytes * len(updates) / min(seconds),
        "seconds": round(min(seconds), 3),
        "models": round((peak_bytes() - before) / size_bytes, 2),
        "same": int(len(states) == 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
