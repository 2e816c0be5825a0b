"""What a codec loses is sent later, and nothing is sent twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.codec.feedback import is_lossy, residual_of, with_residual
from tests.codec_fixtures import CODEC_NAMES, LOSSY, Written, joined, sample_arrays, section_of


@pytest.mark.parametrize("codec", LOSSY)
def test_what_was_sent_adds_up_to_what_was_wanted(codec: str, tmp_path: Path) -> None:
    residual: dict[str, Any] = {}
    wanted, sent = 0.0, 0.0
    for seed in range(40):
        arrays = sample_arrays(seed % 4)
        wanted = wanted + joined(arrays).astype(np.float64)
        written = Written(tmp_path, codec, with_residual(arrays, residual))
        with written.open() as file:
            residual = residual_of(written.arrays, file)
        sent = sent + written.decoded().astype(np.float64)
    # All that is missing is the last residual: the sums agree up to float32.
    assert np.allclose(wanted, sent + joined(residual), rtol=1e-4, atol=1e-3)
    assert {array.dtype for array in residual.values()} == {np.dtype(np.float32)}


def test_only_float32_loses_nothing() -> None:
    assert [name for name in CODEC_NAMES if is_lossy(section_of(name))] == list(LOSSY)


@pytest.mark.parametrize(
    "residual",
    [{}, {"other": np.ones(2, np.float32)}, {"w": np.ones(3, np.float32)}],
)
def test_residual_of_something_else_counts_as_zero(residual: Any) -> None:
    arrays = {"w": np.array([1, 2], np.float32)}
    assert with_residual(arrays, residual) == arrays


def test_residual_is_added() -> None:
    arrays = {"w": np.array([1, 2], np.float32), "b": np.float32(1).reshape(())}
    residual = {"w": np.array([0.5, -2], np.float32), "b": np.float32(2).reshape(())}
    result = with_residual(arrays, residual)
    assert result["w"].tolist() == [1.5, 0]
    assert result["b"] == 3
