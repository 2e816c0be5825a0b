from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fednet.codec import TensorFile, check_state, write_state, write_tensors
from fednet.domain.tensors import Layout
from fednet.errors import MalformedBlobError, SettingsError, ShapeMismatchError

ARRAYS = {"w": np.array([1.0, 2.0], np.float32)}


def test_check_state_returns_the_header(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ARRAYS)
    header = check_state(tmp_path / "s", Layout.of(ARRAYS))
    assert header.layout == Layout.of(ARRAYS)
    assert header.file_size_bytes == (tmp_path / "s").stat().st_size


def test_check_state_refuses_an_update(tmp_path: Path) -> None:
    write_tensors(tmp_path / "s", ARRAYS, {"format": "fednet-update/1"})
    with pytest.raises(MalformedBlobError) as caught:
        check_state(tmp_path / "s")
    assert caught.value.expected == "fednet-state/1"


def test_check_state_refuses_another_layout(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ARRAYS)
    with pytest.raises(ShapeMismatchError):
        check_state(tmp_path / "s", Layout.of({"w": np.zeros(3, np.float32)}))


def test_check_state_refuses_values_that_are_not_finite(tmp_path: Path) -> None:
    write_state(tmp_path / "s", {"w": np.array([np.nan], np.float32)})
    with pytest.raises(MalformedBlobError):
        check_state(tmp_path / "s")


def test_check_state_refuses_a_file_above_its_limit(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ARRAYS)
    with pytest.raises(MalformedBlobError) as caught:
        check_state(tmp_path / "s", size_limit_bytes=100)
    assert caught.value.expected == "at most 100 bytes"


def test_tensor_file_says_when_it_was_cut_short(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ARRAYS)
    with TensorFile(tmp_path / "s", "state") as file:
        with (tmp_path / "s").open("r+b") as handle:
            handle.truncate(file.header.data_offset + 4)
        with pytest.raises(MalformedBlobError):
            file.read_into(0, np.empty(2, np.float32))


def test_write_tensors_leaves_nothing_where_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        write_state(tmp_path / "none" / "s", ARRAYS)


def test_tensor_file_can_be_read_after_it_was_closed(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ARRAYS)
    with TensorFile(tmp_path / "s", "state") as file:
        pass
    values = np.empty(2, np.float32)
    file.read_into(0, values)
    assert values.tolist() == [1.0, 2.0]
