"""The content keys that a site keeps, each in a file of its own, so that each can be destroyed.

A key is on the disk before anything is sealed with it. Crypto-shredding writes
the erasure first: from then on the key does not exist, and a process that was
killed before it overwrote the file does so when the store is opened again.

What it cannot do: a file system that copies on write, a flash drive and a
backup may keep overwritten bytes (NIST SP 800-88), so the folder belongs on an
encrypted disk and in no backup. And the letter at a blob's head still opens
with the private keys of its recipients: docs/adr/0022-sealed-blobs.md says
when those go.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fednet.domain import canonical
from fednet.domain.identity import Commitment, SiteId
from fednet.errors import MalformedBlobError, SettingsError
from fednet.privacy.sealing.destroying import destroy
from fednet.privacy.sealing.erasure import Erasure
from fednet.privacy.sealing.folders import make_private
from fednet.privacy.sealing.fresh_file import PARTIAL_SUFFIX, fresh_file
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.place import BlobPlace

KEY_FORMAT = "fednet-content-key/1"
_KEY_SUFFIX, _ERASURE_SUFFIX = ".key", ".erased"
_SIZE_CAP_BYTES = 4_096


class KeyStore:
    """Keep the content keys of a site; safe between threads and processes.

    Args:
        folder: Where the keys are; made private if it is new.
        site: Whose they are.

    Raises:
        SettingsError: The folder cannot be used, or others may look into it.
    """

    def __init__(self, folder: Path, site: SiteId) -> None:
        self._folder = folder
        self._site = site
        make_private(folder)
        with self._locked():
            self._finish()

    def obtain(self, place: BlobPlace) -> ContentKey:
        """Return the key of a blob of this site's own; the first call draws it, durably.

        Raises:
            ErasedError: It was destroyed; there is never a second one.
            SettingsError: The disk refuses, or the key's file is damaged.
            RuntimeError: The place is another site's.
        """
        if place.site != self._site:
            raise RuntimeError(f"site {self._site} makes no key for {place}")
        with self._locked():
            key = self._find(place, "")
            if key is None:
                key = ContentKey.generate()
                self._write(place, "", key)
            return key

    def keep(self, place: BlobPlace, commitment: Commitment, key: ContentKey) -> None:
        """Keep the key of another's blob, once it was found in its letter.

        Raises:
            ErasedError: It was destroyed.
            SettingsError: Another key is kept for the blob, or the disk refuses.
        """
        with self._locked():
            name = self._blob_name(place, commitment)
            kept = self._find(place, name)
            if kept is None:
                self._write(place, name, key)
            elif kept != key:
                raise SettingsError(
                    "another content key is kept for this blob",
                    subject=str(place),
                    hint="the store of keys was altered, or was another deployment's",
                )

    def find(self, place: BlobPlace, commitment: Commitment) -> ContentKey | None:
        """Return the key of a blob, or None if there was never one.

        Raises:
            ErasedError: It was destroyed; carries the grounds.
            SettingsError: Its file is damaged or cannot be read.
        """
        with self._locked():
            return self._find(place, self._blob_name(place, commitment))

    def shred(self, place: BlobPlace, erasure: Erasure) -> Erasure:
        """Destroy the key of a blob, for good; return the erasure that stands.

        Destroying again changes nothing and returns the first erasure. A blob
        without a key is marked all the same, so that none is kept later.

        Raises:
            SettingsError: The disk refuses; asking again goes on from where it was.
        """
        with self._locked():
            name = self._blob_name(place, erasure.commitment)
            mark = self._path(place, name, _ERASURE_SUFFIX)
            standing = _read_erasure(mark)
            if standing is None:
                with fresh_file(mark) as file:
                    file.write(erasure.to_bytes())
                standing = erasure
            destroy(self._path(place, name, _KEY_SUFFIX))
            return standing

    def erasures(self) -> list[Erasure]:
        """Return what was destroyed here, the earliest first."""
        with self._locked():
            found = [_read_erasure(path) for path in self._folder.glob(f"*{_ERASURE_SUFFIX}")]
        known = [erasure for erasure in found if erasure is not None]
        return sorted(known, key=lambda each: (each.erased_at, each.commitment))

    def _blob_name(self, place: BlobPlace, commitment: Commitment) -> str:
        """Tell blobs of one place apart: a dishonest author can commit to two, we never do.

        An own key is there before its blob, and has no commitment to go by.
        """
        return "" if place.site == self._site else str(commitment)

    def _find(self, place: BlobPlace, name: str) -> ContentKey | None:
        if erasure := _read_erasure(self._path(place, name, _ERASURE_SUFFIX)):
            raise erasure.error(str(place))
        path = self._path(place, name, _KEY_SUFFIX)
        data = _read(path)
        return None if data is None else _parse_key(data, place, path)

    def _write(self, place: BlobPlace, name: str, key: ContentKey) -> None:
        with fresh_file(self._path(place, name, _KEY_SUFFIX)) as file:
            file.write(
                canonical.encode(
                    {"format": KEY_FORMAT, "key": key.secret.hex(), "place": place.fields()}
                )
            )

    def _path(self, place: BlobPlace, name: str, suffix: str) -> Path:
        return self._folder / (hashlib.sha256(place.bind("kept", name)).hexdigest() + suffix)

    def _finish(self) -> None:
        """Destroy what a killed process left: keys that were erased, and unfinished files."""
        for mark in self._folder.glob(f"*{_ERASURE_SUFFIX}"):
            destroy(mark.with_suffix(_KEY_SUFFIX))
        for left in self._folder.glob(f".*{PARTIAL_SUFFIX}"):
            destroy(left)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise _disk_error(self._folder, exc) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _parse_key(data: bytes, place: BlobPlace, path: Path) -> ContentKey:
    try:
        raw = canonical.decode_object(data, path.name)
        if raw.keys() != {"format", "key", "place"} or raw["format"] != KEY_FORMAT:
            raise MalformedBlobError("is no content key", subject=path.name)
        if raw["place"] != place.fields():
            raise MalformedBlobError("is the key of another place", subject=path.name)
        return ContentKey(bytes.fromhex(str(raw["key"])))
    except (MalformedBlobError, ValueError):
        # The cause would quote the key.
        raise SettingsError(
            "the file of a content key is damaged",
            subject=str(path),
            hint="nothing can be sealed in this place any more; the site sits out the attempt",
        ) from None


def _read_erasure(path: Path) -> Erasure | None:
    data = _read(path)
    return None if data is None else Erasure.from_bytes(data, path.name)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_SIZE_CAP_BYTES)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _disk_error(path, exc) from exc


def _disk_error(path: Path, exc: OSError) -> SettingsError:
    return SettingsError(
        "cannot keep content keys",
        subject=str(path),
        actual=exc.strerror or str(exc),
        hint="free disk space, or check who owns the folder",
    )
