"""Commit to the private data, so that what is trained on is what was registered."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from fednet.domain.identity import DIGEST_SIZE_BYTES, Commitment
from fednet.errors import DataError

_CHUNK_SIZE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SaltedData:
    """Name a data file and the secret salt that hides it behind its commitment."""

    path: Path
    salt_path: Path

    def commitment(self) -> Commitment:
        """Return SHA-256 over the salt and the file's bytes.

        Raises:
            DataError: The data or the salt cannot be read.
        """
        state = hashlib.sha256(read_salt(self.salt_path))
        try:
            with self.path.open("rb") as file:
                while chunk := file.read(_CHUNK_SIZE_BYTES):
                    state.update(chunk)
        except OSError as exc:
            raise DataError(
                "cannot read the private data",
                subject=str(self.path),
                actual=exc.strerror,
                hint="check the data path in the node's settings",
            ) from exc
        return Commitment(state.digest())


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
