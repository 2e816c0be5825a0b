from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from fednet.errors import DataError
from fednet.learning import Table, load_measured, load_table
from fednet.learning.tables import table_of_frame

COLUMNS = {"b": [2.0, -4.0, 6.25], "extra": ["x", "y", "z"], "y": [0, 1, 0], "a": [1.5, 3, 5]}
VALUES = np.array([[1.5, 2.0], [3.0, -4.0], [5.0, 6.25]], np.float32)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


def _stream(folder: Path) -> Path:
    table = pa.table(COLUMNS)
    with ipc.new_stream(folder / "data.arrow", table.schema) as sink:
        sink.write_table(table, max_chunksize=2)
    return folder / "data.arrow"


def _file(folder: Path) -> Path:
    table = pa.table(COLUMNS)
    with ipc.new_file(folder / "data.arrow", table.schema) as sink:
        sink.write_table(table)
    return folder / "data.arrow"


def _feather(folder: Path) -> Path:
    feather.write_feather(pa.table(COLUMNS), folder / "data.feather", compression="zstd")
    return folder / "data.feather"


def _saved(folder: Path) -> Path:
    made = datasets.Dataset.from_dict(COLUMNS)
    made = made.cast_column("y", datasets.ClassLabel(names=["benign", "malignant"]))
    made.save_to_disk(folder / "data", num_shards=2)
    return folder / "data"


def _loaded(path: Path, *features: str) -> Table:
    return load_table(path, features=features or ("a", "b"), label="y", classes=2)


@pytest.mark.parametrize("write", [_stream, _file, _feather, _saved])
def test_columns_are_read_the_same_from_every_form(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    table = _loaded(write(tmp_path))
    np.testing.assert_array_equal(table.features, VALUES)
    np.testing.assert_array_equal(table.labels, [0, 1, 0])
    assert (table.features.dtype, table.labels.dtype) == (np.float32, np.int64)


def test_a_frame_reads_like_a_file() -> None:
    frame = pd.DataFrame(COLUMNS).set_index("extra")
    table = table_of_frame(frame, features=("a", "b"), label="y")
    np.testing.assert_array_equal(table.features, VALUES)
    with pytest.raises(DataError, match="wrong columns"):
        table_of_frame(frame, features=("a", "c"), label="y")
    with pytest.raises(DataError, match="not a pandas DataFrame"):
        table_of_frame(COLUMNS, features=("a", "b"), label="y")


def test_rows_stand_in_the_order_of_the_shuffled_dataset(tmp_path: Path) -> None:
    made = datasets.Dataset.from_dict(COLUMNS).shuffle(seed=1)
    made.save_to_disk(tmp_path / "data")
    np.testing.assert_array_equal(_loaded(tmp_path / "data").features[:, 0], made["a"])


@pytest.mark.parametrize("kind", ["lists", "fixed", "array2d"])
def test_lists_of_one_length_count_as_many_numbers(tmp_path: Path, kind: str) -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    made = datasets.Dataset.from_dict({"image": pixels.tolist(), "a": [1, 2, 3], "y": [0, 1, 0]})
    if kind == "array2d":
        made = made.cast_column("image", datasets.Array2D((2, 2), "float32"))
    if kind == "fixed":
        path = tmp_path / "data.parquet"
        flat = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), 4)
        parquet.write_table(pa.table({"image": flat, "a": [1, 2, 3], "y": [0, 1, 0]}), path)
    else:
        path = tmp_path / "data"
        made.save_to_disk(path)
    table = _loaded(path, "a", "image")
    expected = np.column_stack([[1, 2, 3], pixels.reshape(3, 4)])
    np.testing.assert_array_equal(table.features, expected)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([1.0, None, 3.0], "NaN"),
        ([1.0, float("inf"), 3.0], "NaN"),
        ([[1.0], [1.0, 2.0], [3.0]], "several lengths"),
        ([[1.0], None, [3.0]], "several lengths"),
        (["1", "2", "secret"], "not a number"),
        ([[], [], []], "number"),
    ],
)
def test_what_is_no_number_is_refused_without_quoting_it(
    tmp_path: Path, column: list[object], said: str
) -> None:
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table(COLUMNS | {"a": column}), path)
    with pytest.raises(DataError, match=said) as caught:
        _loaded(path)
    assert "secret" not in str(caught.value)


def test_a_folder_of_several_splits_names_them_apart(tmp_path: Path) -> None:
    one = datasets.Dataset.from_dict(COLUMNS)
    datasets.DatasetDict({"train": one, "test": one}).save_to_disk(tmp_path / "data")
    with pytest.raises(DataError, match="several splits"):
        _loaded(tmp_path / "data")
    np.testing.assert_array_equal(_loaded(tmp_path / "data" / "train").features, VALUES)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("", "not a folder of a dataset"),
        ("[]", "not a folder of a dataset"),
        ('{"_data_files": [{"filename": "../other.arrow"}]}', "no file of this folder"),
        ('{"_data_files": []}', "no file of this folder"),
        (
            '{"_data_files": [{"filename": "a.arrow"}], "_indices_data_files": [{}]}',
            "another order",
        ),
    ],
)
def test_a_folder_that_is_no_plain_dataset_is_refused(
    tmp_path: Path, state: str, said: str
) -> None:
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DataError, match=said):
        _loaded(tmp_path)


def test_a_folder_is_too_large_as_a_whole(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    sizes = [part.stat().st_size for part in path.glob("*.arrow")]
    assert len(sizes) == 2
    with pytest.raises(DataError, match="too large"):
        load_table(path, features=("a",), label="y", max_file_bytes=sum(sizes) - 1)


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    name = json.loads((path / "state.json").read_text())["_data_files"][0]["filename"]
    (path / name).write_bytes(b"\xff" * 64)
    with pytest.raises(DataError, match="not a table of numbers"):
        _loaded(path)


def test_a_quantity_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("age,dose\n40,0.25\n50,-1.5\n")
    found = load_measured(path, features=("age",), target="dose")
    np.testing.assert_array_equal(found.features, [[40], [50]])
    np.testing.assert_array_equal(found.targets, np.array([0.25, -1.5], np.float32))
    assert found.targets.dtype == np.float32
    path.write_text("age,dose\n40,nan\n")
    with pytest.raises(DataError, match="NaN") as caught:
        load_measured(path, features=("age",), target="dose")
    assert "dose" in str(caught.value)
