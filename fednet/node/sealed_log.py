"""Files that are appended to and forget nothing: one canonical JSON record a line, each sealed.

A record is whole and on the disk when it is said to be. A torn last line is what
a crash in mid-write leaves, so it is cut off; damage elsewhere means forgotten
promises, and the file is not opened. Only one process writes to one at a time;
whoever only reads one needs no permission of the writer's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import IO

from fednet.domain import canonical
from fednet.errors import FednetError, SettingsError, VerificationError

_CHECK_LENGTH = 16

Record = dict[str, object]
Fold = Callable[[Record], None]
"""Takes in a record; raises if it says nothing that makes sense."""


class SealedLog:
    """Append records to a file and take them in, now and when it is opened again.

    Args:
        path: The file; its folder is made, for the owner only.
        what: What the file is, for errors.
        fold: Takes in each record, in their order.
        hint: What a person may do about damage.

    Raises:
        SettingsError: Another process holds the file, it is damaged, or the disk refuses.
    """

    def __init__(self, path: Path, what: str, fold: Fold, hint: str) -> None:
        self.path = path
        self._what = what
        self._fold = fold
        self._hint = hint
        self._lock = Lock()
        self._end = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _open_locked(path, what)
        except OSError as exc:
            raise disk_error(path, what, exc) from exc
        try:
            self._replay()
            sync_folder(path.parent)
        except OSError as exc:
            self.close()
            raise disk_error(path, what, exc) from exc
        except BaseException:
            self.close()
            raise

    def append(self, record: Record, *, synced: bool) -> None:
        """Write a record and take it in; it is on the disk if that was asked for.

        Raises:
            SettingsError: The disk refuses; nothing was taken in.
        """
        line = _seal(record)
        with self._lock:
            try:
                _write_all(self._file.fileno(), line, self._end)
                if synced:
                    os.fdatasync(self._file.fileno())
            except OSError as exc:
                raise disk_error(self.path, self._what, exc) from exc
            self._end += len(line)
            self._fold(record)

    def close(self) -> None:
        """Let another process have the file."""
        self._file.close()

    def _replay(self) -> None:
        data = self._file.read()
        whole = _fold_lines(data, self.path, self._what, self._fold, self._hint)
        if whole != len(data):
            os.ftruncate(self._file.fileno(), whole)
        self._end = whole


def read_log(path: Path, what: str, fold: Fold, hint: str) -> None:
    """Take in the records of a file that another process may be writing; none if it is not there.

    Raises:
        SettingsError: It is damaged, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise disk_error(path, what, exc) from exc
    _fold_lines(data, path, what, fold, hint)


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder durable.

    Raises:
        OSError: The disk refuses.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def disk_error(path: Path, what: str, exc: OSError) -> SettingsError:
    """Translate an error of the file system."""
    return SettingsError(
        f"cannot keep the {what}",
        subject=str(path),
        actual=exc.strerror or str(exc),
        hint="free disk space, or check who owns the folder; nothing was sent",
    )


def _fold_lines(data: bytes, path: Path, what: str, fold: Fold, hint: str) -> int:
    """Take in every whole line; return how many bytes these are."""
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            fold(_unseal(line))
        except (FednetError, KeyError, TypeError, ValueError) as exc:
            raise SettingsError(
                f"the {what} is damaged",
                subject=f"{path}, line {number}",
                actual=str(exc)[:120],
                hint=hint,
            ) from exc
    return whole


def _open_locked(path: Path, what: str) -> IO[bytes]:
    # Opened without O_TRUNC and without O_APPEND: a torn tail has to be cut off.
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise SettingsError(
            f"another node process uses this {what}",
            subject=str(path),
            hint="stop the other node, or give this one a home directory of its own",
        ) from exc
    return file


def _write_all(handle: int, data: bytes, offset: int) -> None:
    """Write at a fixed place, so that a failed write leaves no gap before the next."""
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written


def _seal(record: Record) -> bytes:
    check = hashlib.sha256(canonical.encode(record)).hexdigest()[:_CHECK_LENGTH]
    return canonical.encode({**record, "check": check}) + b"\n"


def _unseal(line: bytes) -> Record:
    record = canonical.decode_object(line, "record")
    check = record.pop("check", None)
    if check != hashlib.sha256(canonical.encode(record)).hexdigest()[:_CHECK_LENGTH]:
        raise VerificationError("check sum does not match")
    return record


def integer(value: object) -> int:
    """Return an integer of a record.

    Raises:
        TypeError: It is none.
    """
    if type(value) is not int:
        raise TypeError(f"not an integer: {value!r}")
    return value


def integers(value: object) -> list[int]:
    """Return a list of integers of a record.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return [integer(item) for item in value]
