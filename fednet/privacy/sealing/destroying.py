"""Destroy a file so that its bytes are gone, as far as the disk lets one."""

from __future__ import annotations

import os
from pathlib import Path

from fednet.errors import SettingsError
from fednet.privacy.sealing.folders import sync_folder

_WRITE_SIZE_BYTES = 1 << 20


def destroy(path: Path) -> None:
    """Overwrite a file with random bytes, durably, and remove it; a missing one is destroyed.

    Raises:
        SettingsError: The disk refuses; what was not removed is destroyed by asking again.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size_bytes = os.fstat(handle).st_size
            for at in range(0, size_bytes, _WRITE_SIZE_BYTES):
                os.pwrite(handle, os.urandom(min(_WRITE_SIZE_BYTES, size_bytes - at)), at)
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise SettingsError(
            "cannot be destroyed",
            subject=str(path),
            actual=exc.strerror or str(exc),
            hint="check who owns the file and its folder, and try again",
        ) from exc
