"""Read columns of numbers from Parquet, Arrow files, pandas and `datasets` folders.

All four end in Arrow tables. A column may hold a number in each row, or lists of
numbers of one length, nested or not (an image, say): these count as that many
numbers. The folder that Hugging Face's ``Dataset.save_to_disk`` writes is read as
what it is, a list of Arrow streams in ``state.json``, without that library.
https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, ipc, parquet

from fednet.errors import DataError
from fednet.learning.columns import Columns, Numbers, kind, positions

STATE_FILE, SPLITS_FILE = "state.json", "dataset_dict.json"
_MOST_STATE_BYTES = 1 << 20
_WHOLE = "write it again with `dataset.flatten_indices().save_to_disk(folder)`"


def read_parquet(path: Path, features: Sequence[str], label: str) -> Columns:
    """Read columns of a Parquet file.

    Raises:
        DataError: No such columns, or they hold something else than numbers.
    """

    def read() -> pa.Table:
        # memory_map and threads off: the limits count private memory and threads
        with parquet.ParquetFile(path, memory_map=False) as source:
            positions(list(source.schema_arrow.names), features, label, path.name)
            return source.read(columns=_once(features, label), use_threads=False)

    return _columns(read, features, label, path.name)


def read_ipc(path: Path, features: Sequence[str], label: str) -> Columns:
    """Read columns of one Arrow file or stream (``.arrow``, ``.feather``).

    Raises:
        DataError: No such columns, or they hold something else than numbers.
    """
    return _columns(lambda: _ipc(path, features, label), features, label, path.name)


def read_folder(path: Path, features: Sequence[str], label: str) -> Columns:
    """Read columns of a folder that ``Dataset.save_to_disk`` wrote.

    Raises:
        DataError: It is another folder, holds several splits, lacks the columns,
            or they hold something else than numbers.
    """
    parts = folder_files(path)
    return _columns(
        lambda: pa.concat_tables([_ipc(part, features, label) for part in parts]),
        features, label, path.name,
    )  # fmt: skip


def read_frame(frame: object, features: Sequence[str], label: str) -> Columns:
    """Take columns of a pandas DataFrame.

    Raises:
        DataError: No such columns, or they hold something else than numbers.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise DataError("not a pandas DataFrame", actual=type(frame).__name__)
    positions([str(name) for name in frame.columns], features, label, "DataFrame")
    wanted = frame[_once(features, label)]
    read = lambda: pa.Table.from_pandas(wanted, preserve_index=False, nthreads=1)  # noqa: E731
    return _columns(read, features, label, "DataFrame")


def folder_files(folder: Path) -> list[Path]:
    """List the Arrow streams of a folder that ``Dataset.save_to_disk`` wrote, in order.

    Raises:
        DataError: It is another folder, or holds several splits.
    """
    if (folder / SPLITS_FILE).exists():
        raise DataError(
            "the folder holds several splits",
            subject=folder.name,
            expected="one split",
            hint="name the folder of one of them, such as its subfolder `train`",
        )
    try:
        with (folder / STATE_FILE).open("rb") as stream:
            state = json.loads(stream.read(_MOST_STATE_BYTES))
        names = [str(entry["filename"]) for entry in state["_data_files"]]
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as exc:
        raise DataError(
            "not a folder of a dataset",
            subject=folder.name,
            expected=f"what `Dataset.save_to_disk` writes, with {STATE_FILE}",
            actual=kind(exc),
        ) from exc
    if state.get("_indices_data_files"):
        raise DataError("the dataset's rows stand in another order", subject=folder.name,
                        hint=_WHOLE)  # fmt: skip
    if not names or any(Path(name).name != name for name in names):
        raise DataError("no file of this folder is named", subject=f"{folder.name}/{STATE_FILE}")
    return [folder / name for name in names]


def _ipc(path: Path, features: Sequence[str], label: str) -> pa.Table:
    # Read, not mapped: mapped pages of a file that changes would change under the task.
    with pa.OSFile(str(path), "rb") as source:
        try:
            opened = ipc.open_stream(source)
        except pa.ArrowInvalid:
            source.seek(0)
            opened = ipc.open_file(source)
        with opened:
            positions(list(opened.schema.names), features, label, path.name)
            return opened.read_all().select(_once(features, label))


def _once(features: Sequence[str], label: str) -> list[str]:
    return list(dict.fromkeys([*features, label]))


def _columns(
    read: Callable[[], pa.Table], features: Sequence[str], label: str, subject: str
) -> Columns:
    try:
        table = read()
        parts = [_numbers(table[name].combine_chunks(), name, subject) for name in features]
        labels = _numbers(table[label].combine_chunks(), label, subject)
    except (OSError, pa.ArrowException, ValueError, TypeError) as exc:
        raise DataError("not a table of numbers", subject=subject, actual=kind(exc)) from exc
    if labels.shape[1] != 1:
        raise DataError("labels are not one column", subject=subject, actual=repr(label))
    names = tuple(
        name for name, part in zip(features, parts, strict=True) for _ in range(part.shape[1])
    )
    values = np.column_stack(parts) if parts else np.empty((len(labels), 0))
    return Columns(values, labels[:, 0], names)


def _numbers(column: Any, name: str, subject: str) -> Numbers:  # noqa: ANN401 - pyarrow has no types
    """Return a column as (rows, numbers in each); what is missing is NaN."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    rows, flat = len(column), column
    while True:
        if isinstance(flat, pa.ExtensionArray):
            flat = flat.storage
        if not _is_list(flat.type):
            break
        if flat.null_count or len(compute.unique(compute.list_value_length(flat))) > 1:
            raise DataError(
                "lists of several lengths",
                subject=subject,
                expected="as many numbers in every row",
                actual=f"column {name!r}",
            )
        flat = flat.flatten()
    types = pa.types
    if not any(test(flat.type) for test in (types.is_integer, types.is_floating, types.is_boolean)):
        raise DataError(
            "not a number", subject=subject, expected="a number in every cell",
            actual=f"column {name!r} holds {flat.type}",
        )  # fmt: skip
    wide = compute.fill_null(compute.cast(flat, pa.float64(), safe=False), float("nan"))
    values = np.asarray(wide.to_numpy(zero_copy_only=False), dtype=np.float64)
    return values.reshape(rows, -1) if rows else values.reshape(0, 1)


def _is_list(found: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    types = pa.types
    return bool(
        types.is_list(found) or types.is_large_list(found) or types.is_fixed_size_list(found)
    )
