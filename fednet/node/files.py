"""Files of a node: known by their bytes, and written whole or not at all."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from fednet.domain.identity import Commitment
from fednet.errors import SettingsError

_READ_SIZE_BYTES = 1 << 20
_SETTLED_NANOSECONDS = 50_000_000
"""A file's times count no finer than a tick of the kernel's clock, of ten milliseconds at most."""
_MOST_HASHED = 4_096
_hashed: dict[Path, tuple[tuple[int, int, int, int], bytes]] = {}
"""What files hashed to, by path, as long as nobody touches them."""


def file_matches(path: Path, commitment: Commitment) -> bool:
    """Tell whether a file is there and hashes to its commitment.

    A file is hashed once and again whenever it was touched, as git does it: what was written
    a moment before could be written again without its times showing it.
    """
    state = hashlib.sha256()
    try:
        found = path.stat()
        version = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        seen, digest = _hashed.get(path, (None, b""))
        if seen == version:
            return digest == commitment
        began = time.time_ns()
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_READ_SIZE_BYTES):
                state.update(chunk)
    except OSError:
        return False
    if began - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NANOSECONDS:
        if len(_hashed) >= _MOST_HASHED:
            _hashed.clear()
        _hashed[path] = (version, state.digest())
    return state.digest() == commitment


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears complete or not at all.

    Raises:
        SettingsError: The disk refuses.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as exc:
        raise disk_error(path, exc) from exc


def disk_error(path: Path, exc: OSError) -> SettingsError:
    """Translate an error of the file system."""
    return SettingsError(
        "cannot use the disk",
        subject=str(path),
        actual=exc.strerror or str(exc),
        hint="free disk space, or check who owns the folder",
    )
