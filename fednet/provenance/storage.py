"""The index's file: one SQLite database in write-ahead mode, one writer, many readers.

Each thread keeps a connection and looks, before it is used, whether the file is
still the one it opened. A file that vanishes goes on being read by who has it
open; the next refresh makes another. See https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fednet.domain.ledger import Deployment
from fednet.errors import SettingsError
from fednet.provenance.schema import SCHEMA, VERSION

_WAIT_SECONDS = 30.0
_CACHE_KIB = 65_536
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_OUTSIDE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_CANTOPEN)  # fmt: skip


class DamagedIndexError(SettingsError):
    """Report an index whose file cannot be read; the next refresh makes another."""


class Storage:
    """Hand out connections to an index file.

    Args:
        path: The file; made, and made anew, when it is needed.
        deployment: What the index is of; a file of another is thrown away.

    Raises:
        SettingsError: The file cannot be made.
    """

    def __init__(self, path: Path, deployment: Deployment) -> None:
        self.path = path
        self._identity = _identity(deployment)
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self.damaged = False
        self.thrown_away = ""
        """Why a file was thrown away; whoever tells a person empties it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise self._unusable(exc.strerror or "") from exc
        with self.writing():
            pass

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            self._own = threading.local()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the index, whatever is written meanwhile.

        Raises:
            DamagedIndexError: The file is no sound index.
        """
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self, rebuild: bool = False) -> Iterator[sqlite3.Connection]:
        """Keep other writers out, in this and other processes; the caller begins transactions.

        Args:
            rebuild: Throw the file away first.

        Raises:
            DamagedIndexError: The file is no sound index.
        """
        with self._locked():
            if self.path.exists() and (self.damaged or not self._is_sound()):
                self.thrown_away = "it was damaged, or of another deployment or version"
                self._discard()
            elif rebuild or not self.path.exists():
                self._discard()
            with self._translated():
                if not self.path.exists():
                    self._create()
                yield self._connection()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise self._unusable(exc.strerror or "") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _is_sound(self) -> bool:
        """Tell whether the file is an index of this schema and deployment."""
        try:
            return _noted(self._connection()) == self._identity
        except (sqlite3.Error, DamagedIndexError):
            return False

    def _discard(self) -> None:
        held = getattr(self._own, "connection", None)
        if held is not None:
            self._forget(held)
        # A log left behind would be taken for the new file's.
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}{ending}")
        self.damaged = False

    def _create(self) -> None:
        held = getattr(self._own, "connection", None)
        if held is not None:
            self._forget(held)
        connection = self._open()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", self._identity.items())

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection to the file that is there now."""
        held: sqlite3.Connection | None = getattr(self._own, "connection", None)
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            if held is None:
                raise DamagedIndexError(
                    "the index is gone", subject=str(self.path), hint="refresh it: it is rebuilt"
                ) from None
            return held
        if held is not None and self._own.file == (found.st_dev, found.st_ino):
            return held
        if held is not None:
            self._forget(held)
        return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        found = os.stat(self.path)
        self._own.connection, self._own.file = connection, (found.st_dev, found.st_ino)
        with self._guard:
            self._opened.append(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    def _forget(self, connection: sqlite3.Connection) -> None:
        self._own.connection = None
        connection.close()
        with self._guard, suppress(ValueError):
            self._opened.remove(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            if code in _OUTSIDE:
                raise self._unusable(str(exc)) from exc
            if code in _BUSY:
                raise SettingsError(
                    "another process writes the index", subject=str(self.path), hint="try again"
                ) from exc
            self.damaged = True
            raise DamagedIndexError(
                "the index cannot be read",
                subject=str(self.path),
                actual=exc,
                hint="rebuild it with `fednet ledger index --rebuild`",
            ) from exc

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(
            "the index cannot be written",
            subject=str(self.path),
            actual=why,
            hint="the home's cache folder must be writable and have space left",
        )


def _noted(connection: sqlite3.Connection) -> dict[str, str]:
    wanted = "SELECT key, value FROM meta WHERE key IN ('deployment', 'schema')"
    return dict(connection.execute(wanted))


def _identity(deployment: Deployment) -> dict[str, str]:
    return {
        "deployment": hashlib.sha256(repr(deployment).encode()).hexdigest(),
        "schema": VERSION,
    }
