"""Commit to the private data, so that what is trained on is what was registered.

A file is committed to by SHA-256 over the salt and its bytes. A folder, such as a
`datasets` library writes, is committed to by SHA-256 over the salt and a listing
that its owner can rebuild with `sha256sum`: the line ``fednet data folder``, then
``<sha256>  <path>`` for each file at any depth, sorted by the bytes of the path
relative to the folder, with POSIX separators.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fednet.domain.identity import DIGEST_SIZE_BYTES, Commitment
from fednet.errors import DataError

_CHUNK_SIZE_BYTES = 1 << 20
_FOLDER_HEAD = b"fednet data folder\n"
_MOST_FILES = 100_000
_READABLE = "check the data path in the node's settings"


@dataclass(frozen=True, slots=True)
class SaltedData:
    """Name a data file, or folder, and the secret salt that hides it behind its commitment."""

    path: Path
    salt_path: Path

    def commitment(self) -> Commitment:
        """Return SHA-256 over the salt and the file's bytes, or the folder's listing.

        Raises:
            DataError: The data or the salt cannot be read, or a folder holds
                something else than files.
        """
        state = hashlib.sha256(read_salt(self.salt_path))
        try:
            pieces = _listing(self.path) if self.path.is_dir() else _chunks(self.path)
            for piece in pieces:
                state.update(piece)
        except OSError as exc:
            raise DataError(
                "cannot read the private data",
                subject=str(self.path),
                actual=exc.strerror,
                hint=_READABLE,
            ) from exc
        return Commitment(state.digest())


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_SIZE_BYTES):
            yield chunk


def _listing(folder: Path) -> Iterator[bytes]:
    """Yield the text that stands for a folder, a line for each file."""
    yield _FOLDER_HEAD
    found = _files(folder)
    if not found:
        raise DataError("the data folder holds no file", subject=str(folder), hint=_READABLE)
    for name in sorted(found):
        digest = hashlib.sha256()
        for chunk in _chunks(folder / os.fsdecode(name)):
            digest.update(chunk)
        yield digest.hexdigest().encode("ascii") + b"  " + name + b"\n"


def _files(folder: Path) -> list[bytes]:
    """List a folder's files at any depth, by relative path; a link could lead out of it."""
    found: list[bytes] = []
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = os.fsencode(Path(entry.path).relative_to(folder).as_posix())
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False) or b"\n" in name:
                    raise DataError(
                        "the data folder holds something else than files",
                        subject=str(folder),
                        expected="files and folders, without links and line ends in names",
                        actual=ascii(os.fsdecode(name)),
                        hint="put a copy of the file itself there",
                    )
                else:
                    found.append(name)
        if len(found) > _MOST_FILES:
            raise DataError(
                "too many files in the data folder", subject=str(folder), expected=_MOST_FILES
            )
    return found


def read_salt(path: Path) -> bytes:
    """Read the salt of a registered dataset.

    Raises:
        DataError: It is missing or of another length.
    """
    try:
        salt = path.read_bytes()
    except OSError as exc:
        raise DataError(
            "cannot read the salt of the registered data",
            subject=str(path),
            actual=exc.strerror,
            hint="restore the file, or register the data again",
        ) from exc
    if len(salt) != DIGEST_SIZE_BYTES:
        raise DataError(
            "not a salt", subject=str(path), expected=f"{DIGEST_SIZE_BYTES} bytes", actual=len(salt)
        )
    return salt


def create_salt(path: Path) -> None:
    """Write a new salt that only this account may read; an existing one is kept."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(secrets.token_bytes(DIGEST_SIZE_BYTES))
