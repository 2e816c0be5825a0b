"""Write exports to the disk: whole or not at all, never over something else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from fednet.domain.identity import Commitment
from fednet.errors import DigestMismatchError, SettingsError

_CHUNK_SIZE_BYTES = 1 << 20


def require_free(paths: list[Path], force: bool) -> None:
    """Raise if a file is there already, unless it may be replaced.

    Raises:
        SettingsError: Names the file.
    """
    for path in paths:
        if path.is_dir() or (path.exists() and not force):
            raise SettingsError(
                "there is something already",
                subject=str(path),
                hint="choose another name, or give --force to replace a file",
            )


def write_files(files: Mapping[Path, bytes], *, force: bool = False) -> None:
    """Write several small files.

    Raises:
        SettingsError: One is there already, or the disk does not take it.
    """
    require_free(list(files), force)
    for path, data in files.items():
        unfinished = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(data)
            unfinished.replace(path)
        except OSError as exc:
            unfinished.unlink(missing_ok=True)
            raise SettingsError("cannot write", subject=str(path), actual=exc.strerror) from exc


def copy_verified(source: Path, target: Path, commitment: Commitment) -> None:
    """Copy a blob, hashing what is written; nothing stays of one that does not match.

    Raises:
        DigestMismatchError: The bytes hash to something else.
        SettingsError: The disk does not take it.
    """
    unfinished = target.with_name(f".{target.name}.part")
    state = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as blob, unfinished.open("wb") as copy:
            while chunk := blob.read(_CHUNK_SIZE_BYTES):
                state.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if state.digest() != commitment:
            raise DigestMismatchError(
                "bytes do not match their commitment",
                subject=str(target),
                expected=commitment,
                actual=state.hexdigest(),
            )
        unfinished.replace(target)
    except OSError as exc:
        raise SettingsError("cannot write", subject=str(target), actual=exc.strerror) from exc
    finally:
        unfinished.unlink(missing_ok=True)
