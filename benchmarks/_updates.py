"""Large updates as files, what combines them, and how much memory that took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fednet.aggregation import Contribution, Rule, aggregate
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import SiteId
from fednet.domain.shape import StateShape


def write_inputs(folder: Path, updates: int, elements: int) -> None:
    """Write a base state and updates that have something in common."""
    draw = np.random.default_rng(0)
    common = draw.standard_normal(elements, np.float32)
    values = np.empty_like(common)
    for number in range(updates + 1):
        draw.standard_normal(out=values, dtype=np.float32)
        np.add(values, common, out=values)
        write_state(folder / f"{number}.safetensors", {"values": values})


def input_paths(folder: Path) -> list[Path]:
    """List the base state and then the updates."""
    return sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))


def combine(rule: Rule, paths: Sequence[Path], target: Path, threads: int) -> str:
    """Combine files into the complete next state; return its commitment."""
    base, *updates = (TensorFile(path, path.stem) for path in paths)
    entries = [Contribution(SiteId(at), 1, file) for at, file in enumerate(updates, start=1)]
    shape = StateShape.plain(base.layout)
    written, _ = aggregate(lambda _: (rule, {}), shape, base, entries, target, threads)
    for file in (base, *updates):
        file.close()
    return str(written.commitment)


def peak_bytes() -> int:
    """Return the most memory that this process ever held.

    Not what ``getrusage`` says: that begins with what the parent held.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
