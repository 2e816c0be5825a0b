"""Small updates for tests of every codec, and the ways there are to look into a file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from fednet.codec import CODECS, write_update
from fednet.codec.update import open_update
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.sections import ClustersSection, ModelSection, TaskSection, UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, encode_tensors
from fednet.domain.update import STATE_METADATA, Manifest, Place, UpdateFile

CODEC_NAMES = tuple(CODECS)
LOSSY = tuple(name for name in CODECS if name != "float32")
SPARSE = ("topk", "topk-int8", "topk-int4")
KEEP_RATIO = Decimal("0.1")
MANIFEST = Manifest(
    Place(1337, Address("0x" + "11" * 20), RunId(1), RoundNumber(2), 1),
    SiteId(4),
    Commitment(bytes([7]) * 32),
    30,
    Digest(bytes([9]) * 32),
)


def section_of(codec: str, keep_ratio: Decimal = KEEP_RATIO) -> UpdateSection:
    return UpdateSection(
        codec=codec,
        keep_ratio=keep_ratio if codec in SPARSE else Decimal(1),  # type: ignore[arg-type]
    )


def plan_of(codec: str, layout: Layout, clusters: int = 1, **section: Any) -> Plan:
    """Plan a run whose model has the given tensors."""
    state = Layout(layout.tensors * clusters)
    method = "ifca" if clusters > 1 else "none"
    header = len(encode_tensors({"w": np.zeros(1, np.float32)}, STATE_METADATA))
    return Plan(
        name="p",
        rounds=1,
        task=TaskSection(source="digits", digest="0" * 64),
        model=ModelSection(
            commitment="0" * 64,
            size_bytes=state.data_size_bytes + header + 60 * len(state.tensors),
        ),
        update=section_of(codec, **section),
        clusters=ClustersSection(method=method, count=clusters),  # type: ignore[arg-type]
    )


def sample_arrays(seed: int = 0) -> dict[str, FloatArray]:
    """Give tensors of every kind: a scalar, odd lengths, short rows, zeros, rows of zeros."""
    random = np.random.default_rng(seed)
    arrays = {
        "bias": random.normal(size=7),
        "conv": random.normal(size=(4, 1, 3, 3)),
        "dense": random.normal(size=(31, 17)) * 10.0 ** random.integers(-3, 3, (31, 1)),
        "scalar": random.normal(size=()),
        "short": random.normal(size=(5, 3)),
        "zero": np.zeros((3, 9)),
    }
    arrays["dense"][3] = 0
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def joined(arrays: dict[str, FloatArray]) -> FloatArray:
    return np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])


def read_all(file: UpdateFile, chunk: int = 1 << 16) -> FloatArray:
    values = np.empty(file.element_count, np.float32)
    for start in range(0, values.size, chunk):
        file.read_into(start, values[start : start + chunk])
    return values


class Written:
    """One update on disk, under a plan."""

    def __init__(
        self,
        folder: Path,
        codec: str,
        arrays: dict[str, FloatArray] | None = None,
        keep_ratio: Decimal = KEEP_RATIO,
    ) -> None:
        self.arrays = sample_arrays() if arrays is None else arrays
        self.layout = Layout.of(self.arrays)
        self.shape = StateShape.plain(self.layout)
        self.plan = plan_of(codec, self.layout, keep_ratio=keep_ratio)
        self.path = folder / f"update-{codec}"
        self.commitment = write_update(self.path, self.arrays, MANIFEST, self.plan.update)
        self.data = self.path.read_bytes()

    def open(self, data: bytes | None = None) -> UpdateFile:
        """Open it, or other bytes in its place."""
        if data is not None:
            self.path.write_bytes(data)
        return open_update(self.path, "update", self.plan, self.shape)

    def decoded(self, data: bytes | None = None) -> FloatArray:
        with self.open(data) as file:
            return read_all(file)
