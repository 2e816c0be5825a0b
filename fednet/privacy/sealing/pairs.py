"""The X25519 pairs of a site, on its disk under a password: the one in force, and earlier ones.

Letters are wrapped for the key that was registered when their attempt began, so
that earlier private halves are kept until the site destroys them. Only public
halves leave the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from fednet.errors import SettingsError
from fednet.privacy.sealing.destroying import destroy
from fednet.privacy.sealing.folders import sync_folder
from fednet.privacy.sealing.fresh_file import fresh_file


class EncryptionKeys:
    """Keep the pairs of one site.

    Args:
        folder: Where they are, beside the keystores.
        password: That of the keystore; every file is sealed under it.
    """

    def __init__(self, folder: Path, password: bytes) -> None:
        self._folder = folder
        self._password = password
        self._current = folder / "encryption.pem"
        self._next = folder / "encryption.new"

    def public_key(self) -> bytes:
        """Return the public half in force; the first call makes the pair.

        Raises:
            SettingsError: The password does not open it, or the disk does not take it.
        """
        return _public(self._obtain(self._current))

    def rotate(self, announce: Callable[[bytes], object]) -> None:
        """Make another pair, announce its public half, and only then put it in force here.

        Raises:
            SettingsError: The password does not open a file, or the disk does not take one.
        """
        self._obtain(self._current)
        # A pair left by an interrupted rotation may be announced already: never lose it.
        fresh = self._obtain(self._next)
        announce(_public(fresh))
        number = max((number for number, _ in self._earlier()), default=0) + 1
        try:
            with fresh_file(self._folder / f"encryption-{number}.pem") as kept:
                kept.write(self._current.read_bytes())
            self._next.replace(self._current)
            sync_folder(self._folder)
        except OSError as exc:
            raise SettingsError(
                "the new encryption key cannot be put in its place",
                subject=str(self._next),
                actual=exc.strerror,
                hint="it is registered already: keep the file, and run `fednet site rotate-key`"
                " again",
            ) from exc

    def holding(self, public_key: bytes) -> X25519PrivateKey:
        """Find the private half of a key that was registered once.

        Raises:
            SettingsError: It is not here, or the password does not open a file.
        """
        places = [self._current, self._next, *(path for _, path in self._earlier())]
        for path in places:
            if path.exists() and _public(found := self._read(path)) == public_key:
                return found
        raise SettingsError(
            "the private half of this encryption key is not here",
            subject=str(self._folder),
            expected=public_key.hex(),
            hint="restore encryption.pem and its like from where this site ran before; a key that"
            " was destroyed opens nothing any more",
        )

    def destroy_earlier(self) -> int:
        """Destroy all pairs but the one in force and the next; return how many there were.

        What was sealed for them opens from then on only with a content key kept from before.

        Raises:
            SettingsError: The disk refuses.
        """
        earlier = [path for _, path in self._earlier()]
        for path in earlier:
            destroy(path)
        return len(earlier)

    def _earlier(self) -> Iterator[tuple[int, Path]]:
        for path in sorted(self._folder.glob("encryption-*.pem")):
            number = path.stem.removeprefix("encryption-")
            if number.isdecimal():
                yield int(number), path

    def _obtain(self, path: Path) -> X25519PrivateKey:
        return self._read(path) if path.exists() else self._make(path)

    def _read(self, path: Path) -> X25519PrivateKey:
        try:
            private = load_pem_private_key(path.read_bytes(), self._password)
        except (ValueError, TypeError, OSError) as exc:
            raise SettingsError(
                "cannot open the encryption key",
                subject=str(path),
                hint="it is sealed under the same password as the keystore",
            ) from exc
        if not isinstance(private, X25519PrivateKey):
            raise SettingsError("not an X25519 key", subject=str(path))
        return private

    def _make(self, path: Path) -> X25519PrivateKey:
        private = X25519PrivateKey.generate()
        sealing = BestAvailableEncryption(self._password)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise SettingsError(
                "cannot keep an encryption key", subject=str(self._folder), actual=exc.strerror
            ) from exc
        with fresh_file(path) as file:
            file.write(pem)
        return private


def _public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()
