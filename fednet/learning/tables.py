"""Read a site's private data from CSV, Parquet, Arrow, NumPy or pandas; no torch, no pickle.

Every way of reading ends in the same `Table` and the same refusals. A refusal
names the column and counts rows; it never quotes a value, because errors are
printed and logged and the data is private.

* ``.csv``: a header row with the column names, comma-separated numbers.
* ``.parquet``, ``.arrow``, ``.feather``: columns by name, of numbers or of lists of them.
* a folder that Hugging Face's ``Dataset.save_to_disk`` wrote: the same.
* ``.npz``: arrays ``features`` (rows, columns) and ``labels`` (rows).
* ``.npy``: one array (rows, columns); the label is the last column.

NumPy files have no column names: their columns are in the order asked for.
"""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fednet.errors import DataError
from fednet.learning.columns import Columns, Numbers, kind, positions

MAX_FILE_BYTES = 4 << 30
_Reader = Callable[[Path, Sequence[str], str], Columns]


@dataclass(frozen=True, slots=True)
class Table:
    """Hold examples of classes: ``features`` (rows, columns) and ``labels`` (rows)."""

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Hold examples of a quantity: ``features`` (rows, columns) and ``targets`` (rows)."""

    features: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]


def load_table(
    path: str | Path,
    *,
    features: Sequence[str],
    label: str,
    classes: int | None = None,
    max_file_bytes: int = MAX_FILE_BYTES,
) -> Table:
    """Read the named feature columns and one column of class numbers.

    Args:
        path: The file; its ending says the format.
        features: Column names, in the order the model wants them.
        label: The column with class numbers, counted from 0.
        classes: Number of classes, when known; larger numbers are refused.
        max_file_bytes: Refuse anything larger before reading it.

    Raises:
        DataError: Missing, empty, too large, wrong columns, something that is
            not a finite number, or only one class where there are no more than two.
    """
    source = Path(path)
    read = _read(source, features, label, max_file_bytes)
    return _classified(read, features, label, classes, source.name)


def load_measured(
    path: str | Path, *, features: Sequence[str], target: str, max_file_bytes: int = MAX_FILE_BYTES
) -> Measured:
    """Read the named feature columns and one column of a quantity, for regression.

    Args:
        path: The file or folder, as for `load_table`.
        features: Column names, in the order the model wants them.
        target: The column with the quantity.
        max_file_bytes: Refuse anything larger before reading it.

    Raises:
        DataError: As for `load_table`; any finite numbers may be targets.
    """
    source = Path(path)
    read = _read(source, features, target, max_file_bytes)
    values = _finite(read, features, source.name)
    alone = Columns(read.labels[:, None], read.labels, (target,))
    return Measured(values, _finite(alone, (target,), source.name)[:, 0])


def table_of_frame(
    frame: object, *, features: Sequence[str], label: str, classes: int | None = None
) -> Table:
    """Take the named columns of a pandas DataFrame, with the refusals of `load_table`.

    Raises:
        DataError: As for `load_table`.
    """
    from fednet.learning.arrow import read_frame

    return _classified(read_frame(frame, features, label), features, label, classes, "DataFrame")


def _read(path: Path, features: Sequence[str], label: str, max_file_bytes: int) -> Columns:
    readers: dict[str, _Reader] = {
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".arrow": _read_ipc,
        ".feather": _read_ipc,
        ".npz": _read_npz,
        ".npy": _read_npy,
    }
    if path.is_dir():
        return _read_folder(path, features, label, max_file_bytes)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            "unknown data format",
            subject=path.name,
            expected=", ".join(readers),
            actual=path.suffix,
        )
    _require_file(path, max_file_bytes)
    return reader(path, features, label)


# pyarrow costs a tenth of a second to import, which CSV and NumPy need not pay.


def _read_parquet(path: Path, features: Sequence[str], label: str) -> Columns:
    from fednet.learning.arrow import read_parquet

    return read_parquet(path, features, label)


def _read_ipc(path: Path, features: Sequence[str], label: str) -> Columns:
    from fednet.learning.arrow import read_ipc

    return read_ipc(path, features, label)


def _read_folder(path: Path, features: Sequence[str], label: str, max_bytes: int) -> Columns:
    from fednet.learning.arrow import folder_files, read_folder

    left = max_bytes
    for part in folder_files(path):
        _require_file(part, left)
        left -= part.stat().st_size
    return read_folder(path, features, label)


def _require_file(path: Path, max_file_bytes: int) -> None:
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError as exc:
        raise DataError("data file cannot be read", subject=path.name, actual=exc.strerror) from exc
    if size < 0:
        raise DataError("data file is missing", subject=path.name, hint="check the dataset's path")
    if size == 0:
        raise DataError("data file is empty", subject=path.name)
    if size > max_file_bytes:
        raise DataError(
            "data file is too large",
            subject=path.name,
            expected=f"at most {max_file_bytes} bytes",
            actual=f"{size} bytes",
        )


def _read_csv(path: Path, features: Sequence[str], label: str) -> Columns:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = [name.strip() for name in next(csv.reader(stream), [])]
            where = positions(header, features, label, path.name)
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "loadtxt: input contained no data")
                    table = np.loadtxt(
                        stream, delimiter=",", usecols=where, ndmin=2, comments=None, quotechar='"'
                    )
            except ValueError:
                raise _csv_fault(path, header, where) from None
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError("data file cannot be read", subject=path.name, actual=kind(exc)) from exc
    return Columns(table[:, :-1], table[:, -1], tuple(features))


def _csv_fault(path: Path, header: Sequence[str], where: Sequence[int]) -> DataError:
    """Find the first cell that is not a number, without quoting it."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        for row in rows:
            for position in where if row else ():
                if position >= len(row) or not _is_number(row[position]):
                    return DataError(
                        "not a number",
                        subject=path.name,
                        expected="a number in every cell",
                        actual=f"line {rows.line_num}, column {header[position]!r}",
                    )
    return DataError("rows cannot be read as numbers", subject=path.name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_npz(path: Path, features: Sequence[str], label: str) -> Columns:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if set(archive.files) != {"features", "labels"}:
                raise DataError(
                    "wrong arrays",
                    subject=path.name,
                    expected="features, labels",
                    actual=", ".join(sorted(archive.files)) or "none",
                )
            values, labels = _numeric(archive["features"]), _numeric(archive["labels"])
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as exc:
        raise DataError("not a NumPy archive", subject=path.name, actual=kind(exc)) from exc
    if labels.ndim != 1:
        raise DataError("labels are not one column", subject=path.name, actual=labels.shape)
    return Columns(values, labels, tuple(features))


def _read_npy(path: Path, features: Sequence[str], label: str) -> Columns:
    try:
        table = _numeric(np.load(path, allow_pickle=False))
    except (OSError, ValueError, TypeError, EOFError) as exc:
        raise DataError("not a NumPy array", subject=path.name, actual=kind(exc)) from exc
    if table.ndim != 2 or table.shape[1] != len(features) + 1:
        raise DataError(
            "wrong shape",
            subject=path.name,
            expected=f"(rows, {len(features)} features and the label)",
            actual=table.shape,
        )
    return Columns(table[:, :-1], table[:, -1], tuple(features))


def _numeric(array: npt.NDArray[np.generic]) -> Numbers:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def _finite(read: Columns, features: Sequence[str], subject: str) -> npt.NDArray[np.float32]:
    values = read.values
    if values.ndim != 2 or values.shape[1] != len(read.names) or len(values) != len(read.labels):
        raise DataError(
            "wrong shape",
            subject=subject,
            expected=f"(rows, {len(features)}) and as many labels",
            actual=f"{values.shape} and {read.labels.shape}",
        )
    if len(values) == 0:
        raise DataError("data file holds no examples", subject=subject)
    narrowed = _narrow(values)
    for position in np.flatnonzero(~np.isfinite(narrowed).all(axis=0))[:1]:
        raise DataError(
            "NaN, infinite or too large for float32",
            subject=subject,
            expected="finite numbers",
            actual=f"column {read.names[int(position)]!r}",
        )
    return narrowed


def _classified(
    read: Columns, features: Sequence[str], label: str, classes: int | None, subject: str
) -> Table:
    narrowed, labels = _finite(read, features, subject), read.labels
    top = (1 << 31) if classes is None else classes
    if not (
        np.isfinite(labels) & (labels == np.floor(labels)) & (labels >= 0) & (labels < top)
    ).all():
        raise DataError(
            "not class numbers",
            subject=subject,
            expected=f"whole numbers from 0 to {top - 1}",
            actual=f"column {label!r}",
        )
    # Among several sites one of many classes is a share of the work; one of two is a mistake.
    if len(np.unique(labels)) < 2 and (classes is None or classes <= 2):
        raise DataError(
            "one class only",
            subject=subject,
            expected="at least two classes",
            hint="a model cannot learn to tell apart what it sees one kind of",
        )
    return Table(narrowed, labels.astype(np.int64))


def _narrow(values: Numbers) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
