from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from fednet.errors import DataError
from fednet.learning import Table, load_table

VALUES = np.array([[1.5, 2.0], [3.0, -4.0], [5.0, 6.25]])
LABELS = np.array([0, 1, 0])


def _load(path: Path, **options: int) -> Table:
    return load_table(path, features=("a", "b"), label="y", **options)


def _csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _write_csv(folder: Path) -> Path:
    # columns in another order, one that is not asked for, a byte-order mark
    text = "\ufeffy,extra,b,a\n0,x,2.0,1.5\n1,y,-4,3\n0,,6.25,5e0\n"
    return _csv(folder / "data.csv", text)


def _write_parquet(folder: Path) -> Path:
    table = pa.table({"y": LABELS, "b": VALUES[:, 1], "a": VALUES[:, 0], "extra": ["x", "y", "z"]})
    parquet.write_table(table, folder / "data.parquet")
    return folder / "data.parquet"


def _write_npz(folder: Path) -> Path:
    np.savez(folder / "data.npz", features=VALUES, labels=LABELS)
    return folder / "data.npz"


def _write_npy(folder: Path) -> Path:
    np.save(folder / "data.npy", np.column_stack([VALUES, LABELS]))
    return folder / "data.npy"


WRITERS = [_write_csv, _write_parquet, _write_npz, _write_npy]


@pytest.mark.parametrize("write", WRITERS)
def test_load_table_reads_the_same_from_every_format(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    table = _load(write(tmp_path))
    assert table.features.dtype == np.float32
    assert table.labels.dtype == np.int64
    np.testing.assert_array_equal(table.features, VALUES.astype(np.float32))
    np.testing.assert_array_equal(table.labels, LABELS)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz", ".npy"])
def test_load_table_refuses_missing_empty_and_garbled_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data{suffix}"
    with pytest.raises(DataError, match="missing"):
        _load(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        _load(path)
    path.write_bytes(b"\x93NUMPY\x80\x04\xff\x00PAR1PK\x03\x04")
    with pytest.raises(DataError):
        _load(path)


@pytest.mark.parametrize("write", WRITERS)
def test_load_table_refuses_a_file_that_is_too_large(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    with pytest.raises(DataError, match="too large"):
        _load(write(tmp_path), max_file_bytes=10)


@pytest.mark.parametrize(
    ("text", "message", "actual"),
    [
        ("a,y\n1,0\n2,1\n", "wrong columns", "missing: b"),
        ("a,a,b,y\n1,1,2,0\n2,2,2,1\n", "wrong columns", "more than once: a"),
        ("a,b,y\n", "data file holds no examples", None),
        ("a,b,y\n1,secret,0\n", "not a number", "line 2, column 'b'"),
        ("a,b,y\n1,2,0\n1,,1\n", "not a number", "line 3, column 'b'"),
        ("a,b,y\n1,2,0\n1\n", "not a number", "line 3, column 'b'"),
        ("a,b,y\n1,nan,0\n1,2,1\n", "NaN, infinite or too large for float32", "column 'b'"),
        ("a,b,y\n-inf,2,0\n1,2,1\n", "NaN, infinite or too large for float32", "column 'a'"),
        ("a,b,y\n1e300,2,0\n1,2,1\n", "NaN, infinite or too large for float32", "column 'a'"),
        ("a,b,y\n1,2,0\n1,2,0\n", "one class only", None),
        ("a,b,y\n1,2,0.5\n1,2,1\n", "not class numbers", "column 'y'"),
        ("a,b,y\n1,2,nan\n1,2,1\n", "not class numbers", "column 'y'"),
        ("a,b,y\n1,2,-1\n1,2,1\n", "not class numbers", "column 'y'"),
        ("a,b,y\n1,2,2\n1,2,1\n", "not class numbers", "column 'y'"),
    ],
)
def test_load_table_refuses_csv_without_quoting_values(
    tmp_path: Path, text: str, message: str, actual: str | None
) -> None:
    with pytest.raises(DataError) as caught:
        _load(_csv(tmp_path / "data.csv", text), classes=2)
    assert caught.value.message == message
    assert caught.value.actual == actual
    assert caught.value.subject == "data.csv"
    assert "secret" not in str(caught.value)


def test_a_site_may_hold_one_of_many_classes(tmp_path: Path) -> None:
    path = _csv(tmp_path / "data.csv", "a,b,y\n1,2,2\n1,2,2\n")
    assert set(_load(path, classes=3).labels) == {2}
    with pytest.raises(DataError, match="one class only"):
        _load(path)


def test_load_table_refuses_pickled_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a NumPy array"):
        _load(tmp_path / "data.npy")


def test_load_table_refuses_arrays_of_other_names_shapes_and_types(tmp_path: Path) -> None:
    np.savez(tmp_path / "names.npz", x=VALUES, y=LABELS)
    np.savez(tmp_path / "rows.npz", features=VALUES, labels=LABELS[:2])
    np.savez(tmp_path / "text.npz", features=VALUES, labels=np.array(["p", "q", "r"]))
    np.save(tmp_path / "flat.npy", LABELS)
    for name in ("names.npz", "rows.npz", "text.npz", "flat.npy"):
        with pytest.raises(DataError):
            _load(tmp_path / name)


def test_load_table_refuses_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown data format"):
        _load(_csv(tmp_path / "data.pkl", "x"))
