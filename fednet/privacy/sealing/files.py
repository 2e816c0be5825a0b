"""Seal a file of any size for the members of a round, and open it, in constant memory.

::

    letter      32 + 48 n bytes, see letters.py; n is known from the ledger
    salt        32 bytes
    chunks      65,536 + 16 bytes each, the last one shorter; see chunks.py

The salt is a keyed hash of the content. Sealing the same content anew therefore
gives the same bytes, so that a site that was killed publishes what it had
promised; another content gets another salt, thereby another stream key, and no
nonce ever serves two contents. (This is the synthetic initialisation vector of
Rogaway and Shrimpton, 2006, in front of a stream.) Opening ends with the same
hash, which makes the blob commit to its key as well: nobody can build one that
opens to one content under this key and to another under that.

Sizes are not hidden, and no byte tells what the blob is.
"""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fednet.domain.blobs import BlobFile, open_blob
from fednet.domain.identity import Commitment
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import chunks
from fednet.privacy.sealing.fresh_file import fresh_file
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.letters import (
    Member,
    Recipients,
    read_letter,
    verify_letter,
    write_letter,
)
from fednet.privacy.sealing.place import BlobPlace

SALT_SIZE_BYTES = 32
_READ_SIZE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Written:
    """What was put on the disk."""

    commitment: Commitment
    """Of the complete bytes that were written."""
    size_bytes: int


def sealed_size_bytes(content_size_bytes: int, recipients: Recipients) -> int:
    """Return the size of a sealed blob."""
    head = recipients.letter_size_bytes + SALT_SIZE_BYTES
    return head + chunks.sealed_size_bytes(content_size_bytes)


def seal(
    source: BlobFile, target: Path, key: ContentKey, place: BlobPlace, recipients: Recipients
) -> Written:
    """Seal a file; the target appears whole, or not at all.

    The file is read twice: its salt has to be known before its first chunk.

    Raises:
        SettingsError: A file cannot be read or written, or the source changed meanwhile.
    """
    salt = key.salt(_hash(source), place)
    written, content = hashlib.sha256(), hashlib.sha256()
    size_bytes = 0
    with fresh_file(target) as out, _reading(source) as file:
        for part in (write_letter(key, place, recipients), salt):
            written.update(part)
            size_bytes += out.write(part)
        for piece, chunk in chunks.seal_chunks(key.stream_key(salt, place), file):
            content.update(piece)
            written.update(chunk)
            size_bytes += out.write(chunk)
        if key.salt(Commitment(content.digest()), place) != salt:
            raise SettingsError(
                "changed while it was sealed",
                subject=source.name,
                hint="nothing was sealed; let no other process write to it",
            )
    return Written(Commitment(written.digest()), size_bytes)


def find_key(
    source: BlobFile, place: BlobPlace, recipients: Recipients, member: Member
) -> ContentKey:
    """Read the letter at the head of a sealed blob, as one of its recipients.

    Raises:
        UnsealingError: It is not for this member in this place, or wrong for somebody.
        SettingsError: The file cannot be read.
    """
    with _reading(source) as file:
        letter = chunks.read_fully(file, recipients.letter_size_bytes)
    return read_letter(letter, place, recipients, member)


def unseal(
    source: BlobFile, target: Path, key: ContentKey, place: BlobPlace, recipients: Recipients
) -> Written:
    """Open a sealed blob; the target appears once every byte of it is authentic, or not at all.

    Raises:
        UnsealingError: Another key, place or membership, or altered, cut short, continued.
        SettingsError: A file cannot be read or written.
    """
    content = hashlib.sha256()
    size_bytes = 0
    subject = str(place)
    with _reading(source) as file:
        letter = chunks.read_fully(file, recipients.letter_size_bytes)
        verify_letter(letter, key, place, recipients)
        salt = chunks.read_fully(file, SALT_SIZE_BYTES)
        with fresh_file(target) as out:
            for piece in chunks.open_chunks(key.stream_key(salt, place), file, subject):
                content.update(piece)
                size_bytes += out.write(piece)
            commitment = Commitment(content.digest())
            if not hmac.compare_digest(salt, key.salt(commitment, place)):
                raise UnsealingError(
                    "the salt is not that of the content",
                    subject=subject,
                    hint="its author did not seal it by the protocol: it counts for nobody",
                )
    return Written(commitment, size_bytes)


def is_key_of(source: BlobFile, key: ContentKey, place: BlobPlace, recipients: Recipients) -> bool:
    """Tell of a blob that does not open with a key whether the key is right, and the blob wrong.

    It is if the letter is the one that the key gives, or else the content authenticates; then
    nobody can have a better key. For members, who read the key in the letter, it always is.

    Raises:
        SettingsError: The file cannot be read.
    """
    content = hashlib.sha256()
    with _reading(source) as file:
        letter = chunks.read_fully(file, recipients.letter_size_bytes)
        salt = chunks.read_fully(file, SALT_SIZE_BYTES)
        try:
            verify_letter(letter, key, place, recipients)
        except UnsealingError:
            pass
        else:
            return True
        try:
            for piece in chunks.open_chunks(key.stream_key(salt, place), file, str(place)):
                content.update(piece)
        except UnsealingError:
            return False
    return hmac.compare_digest(salt, key.salt(Commitment(content.digest()), place))


def _hash(source: BlobFile) -> Commitment:
    state = hashlib.sha256()
    with _reading(source) as file:
        while data := file.read(_READ_SIZE_BYTES):
            state.update(data)
    return Commitment(state.digest())


class _Reading:
    """A file whose failures name it as what was read, not as what is written."""

    def __init__(self, file: io.RawIOBase, name: str) -> None:
        self._file, self._name = file, name

    def read(self, size: int, /) -> bytes | None:
        try:
            return self._file.read(size)
        except OSError as exc:
            raise _unreadable(self._name, exc) from exc


@contextmanager
def _reading(source: BlobFile) -> Iterator[_Reading]:
    try:
        file = open_blob(source)
    except OSError as exc:
        raise _unreadable(source.name, exc) from exc
    with file:
        yield _Reading(file, source.name)


def _unreadable(name: str, exc: OSError) -> SettingsError:
    return SettingsError(
        f"cannot be read: {exc.strerror}",
        subject=name,
        hint="check that the file is there and may be read",
    )
