from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.aggregation.output import BLOCK_SIZE_BYTES, StateWriter
from fednet.aggregation.server import ServerStep
from fednet.aggregation.vector import CHUNK_ELEMENTS
from fednet.domain.sections import ServerSection
from fednet.domain.shape import Part, Segment
from fednet.domain.tensors import Layout, TensorSpec
from fednet.errors import AggregationError

COUNT = 3 * CHUNK_ELEMENTS + 77


class Values:
    """A vector in memory."""

    def __init__(self, values: Any) -> None:
        self.values = values.astype(np.float32)
        self.element_count = values.size

    def read_into(self, start: int, out: Any) -> None:
        out[:] = self.values[start : start + out.size]


def layout(count: int) -> Layout:
    return Layout((TensorSpec("w", (count,)),))


def stepped(kernel: str, base: Any, delta: Any, *, is_control: bool = False) -> bytes:
    part = Part(0, layout(COUNT), (Segment(0, COUNT, 0, (), is_control),))
    out = np.empty(COUNT, np.float32)

    def write(start: int, values: Any) -> None:
        out[start : start + values.size] = values

    section = ServerSection.model_validate({"learning_rate": "0.3"})
    ServerStep(section, part, Values(base), write, 0.7, kernel).apply(0, delta.copy())
    return out.tobytes()


@pytest.mark.parametrize("is_control", [False, True])
def test_plain_step_has_the_same_bytes_with_both_kernels(is_control: bool) -> None:
    draw = np.random.default_rng(4)
    base = draw.normal(size=COUNT) * 2.0 ** draw.integers(-140, 100, COUNT)
    delta = draw.normal(size=COUNT) * 2.0 ** draw.integers(-160, 100, COUNT)
    plain = stepped("numpy", base, delta, is_control=is_control)
    assert stepped("numba", base, delta, is_control=is_control) == plain


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e39])
def test_plain_step_refuses_a_state_that_is_not_finite(kernel: str, wrong: float) -> None:
    delta = np.zeros(COUNT)
    delta[-5] = wrong * 4
    with pytest.raises(AggregationError):
        stepped(kernel, np.zeros(COUNT), delta)


def test_state_written_in_any_order_is_hashed_as_it_lies_in_the_file(tmp_path: Path) -> None:
    count = BLOCK_SIZE_BYTES + 12_345
    values = np.arange(count, dtype=np.float32)
    starts = list(range(0, count, 10_000))
    np.random.default_rng(5).shuffle(starts)
    writer = StateWriter(tmp_path / "s", layout(count))
    for start in starts:
        writer.write(start, values[start : start + 10_000])
    written = writer.finish()
    data = (tmp_path / "s").read_bytes()
    assert written.commitment == hashlib.sha256(data).digest()
    assert data.endswith(values.tobytes())
    assert len(data) == written.size_bytes


def test_state_with_a_gap_is_never_finished(tmp_path: Path) -> None:
    writer = StateWriter(tmp_path / "s", layout(20))
    writer.write(10, np.zeros(10, np.float32))
    with pytest.raises(RuntimeError):
        writer.finish()
