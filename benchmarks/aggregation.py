"""FedAvg over many large updates, beside this machine's own memory copy in the same run.

Bandwidth of the aggregation is the updates' bytes over
the time from opening files to the last byte of the next state in its file,
its hash included. Files come from the page cache, so this measures reading and
arithmetic, not the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fednet.aggregation import Contribution, aggregate
from fednet.aggregation.fedavg import FedAvg
from fednet.aggregation.kernels import make_kernel
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import SiteId
from fednet.domain.shape import StateShape
from fednet.domain.tensors import ELEMENT_SIZE_BYTES, FloatArray

COPY_REPEATS = 9
AGGREGATION_REPEATS = 7


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--kernel", choices=["auto", "numpy", "numba"], default="auto")
    parser.add_argument("--folder", type=Path, default=Path(".fednet/bench"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    kernel = None if options.kernel == "auto" else options.kernel
    if options.measure:
        print(json.dumps(_measure(options.measure, kernel, options.threads)))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aggregation-") as name:
        folder = Path(name)
        _write_inputs(folder, options.updates, options.elements)
        copy = _copy_bytes_per_second(options.elements)
        # A process of its own, so that the peak is the aggregation's.
        command = [sys.executable, __file__, "--measure", str(folder)]
        command += ["--threads", str(options.threads), "--kernel", options.kernel]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, object] = {
        "benchmark": "fedavg",
        "updates": options.updates,
        "elements": options.elements,
        "threads": options.threads,
        "copy_bytes_per_second": round(copy),
    }
    row |= json.loads(done.stdout)
    rate = row["bytes_per_second"]
    assert isinstance(rate, int)
    row["share_of_copy"] = round(rate / copy, 3)
    print(json.dumps(row), file=sys.stderr)
    what = f"{options.updates} updates of {options.elements:,} float32"
    speed = {
        "figure": f"{what}: bandwidth over that of a memory copy",
        "value": row["share_of_copy"],
        "limit": 0.7,
        "at_least": True,
    }
    memory = {
        "figure": f"{what}: peak memory",
        "value": row["peak_models"],
        "unit": "models",
        "limit": 4,
    }
    for figure in (speed, memory):
        print(json.dumps({"benchmark": "fedavg"} | figure), flush=True)
    return 0


def _write_inputs(folder: Path, updates: int, elements: int) -> None:
    values = np.arange(elements, dtype=np.float32)
    for number in range(updates + 1):
        np.multiply(np.sin(values[:4096]), np.float32(1 + number), out=values[:4096])
        write_state(folder / f"{number}.safetensors", {"values": values})


def _copy_bytes_per_second(elements: int) -> float:
    source = np.ones(elements, np.float32)
    target = np.zeros_like(source)
    best = min(_timed_copy(source, target) for _ in range(COPY_REPEATS))
    return elements * ELEMENT_SIZE_BYTES / best


def _timed_copy(source: FloatArray, target: FloatArray) -> float:
    begun = time.perf_counter()
    np.copyto(target, source)
    return time.perf_counter() - begun


def _measure(folder: Path, kernel: str | None, threads: int) -> dict[str, object]:
    paths = sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))
    if kernel == "numba":
        make_kernel(1, kernel)
    before = peak_bytes()
    best = float("inf")
    for _ in range(AGGREGATION_REPEATS):
        begun = time.perf_counter()
        files = [TensorFile(path, path.stem) for path in paths]
        base, updates = files[0], files[1:]
        shape = StateShape.plain(base.layout)
        entries = [
            Contribution(SiteId(number), 10 + number, file)
            for number, file in enumerate(updates, start=1)
        ]
        target = folder / "next"
        written, _ = aggregate(
            lambda _: (FedAvg(kernel), {}), shape, base, entries, target, threads
        )
        best = min(best, time.perf_counter() - begun)
        for file in files:
            file.close()
    model = base.layout.data_size_bytes
    return {
        "seconds": round(best, 4),
        "bytes_per_second": round(model * len(updates) / best),
        "peak_models": round((peak_bytes() - before) / model, 2),
        "peak_bytes_in_all": peak_bytes(),
        "state": str(written.commitment),
    }


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    raise SystemExit(main())
