"""Folders that only their owner looks into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fednet.errors import SettingsError


def make_private(folder: Path) -> None:
    """Make a folder for the owner only, unless it is one already.

    Raises:
        SettingsError: It cannot be made, or others may look into it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as exc:
        raise SettingsError(
            "this folder cannot be used",
            subject=str(folder),
            actual=exc.strerror,
            hint="check who owns it and what is above it",
        ) from exc
    if mode & 0o077:
        raise SettingsError(
            "others may look into this folder",
            subject=str(folder),
            expected="mode 700",
            actual=f"mode {mode:o}",
            hint=f"run `chmod 700 {folder}`",
        )


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder holds."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
