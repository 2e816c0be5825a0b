"""What a reader of sealed blobs has opened: each once, and no longer than its key lives.

A key that was destroyed would be of little use if what it once opened stayed in
a cache; so the key is asked for each time, and where it was erased the opened
copy is destroyed before anybody hears of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment, SiteId
from fednet.errors import ErasedError, SealedError
from fednet.privacy.sealing.destroying import destroy
from fednet.privacy.sealing.files import find_key, unseal
from fednet.privacy.sealing.folders import make_private
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.letters import Member, Recipients
from fednet.privacy.sealing.place import BlobPlace
from fednet.privacy.sealing.store import KeyStore


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """A sealed blob whose bytes are here, and what the ledger says of it."""

    file: BlobFile
    commitment: Commitment
    """Of the sealed bytes; verified by whoever fetched them."""
    place: BlobPlace
    recipients: Recipients


class KeySource(Protocol):
    """Find keys: a member's, an auditor's."""

    def key_of(self, blob: SealedBlob) -> ContentKey:
        """Return the key to a blob.

        Raises:
            ErasedError: It was destroyed; carries the grounds.
            SealedError: It is not here; carries the commitment.
            UnsealingError: The blob's letter is not what the protocol asks for.
        """
        ...


class MemberKeys:
    """The keys of a site: those that it keeps, and those that letters bring.

    Args:
        store: Where content keys are kept once they were found.
        site: Who reads.
        private_of: Finds the private half of a registered key, as `EncryptionKeys.holding` does.
    """

    def __init__(
        self, store: KeyStore, site: SiteId, private_of: Callable[[bytes], X25519PrivateKey]
    ) -> None:
        self._store = store
        self._site = site
        self._private_of = private_of

    def key_of(self, blob: SealedBlob) -> ContentKey:
        """Return the key to a blob; one from a letter is kept, so that it can be destroyed."""
        key = self._store.find(blob.place, blob.commitment)
        if key is None:
            registered = dict(blob.recipients.keys).get(self._site)
            if registered is None:
                raise SealedError(
                    "is not sealed for this site",
                    commitment=blob.commitment,
                    subject=str(blob.place),
                    hint="it was no member when the attempt began; any member can grant it the"
                    " keys",
                )
            member = Member(self._site, self._private_of(registered))
            key = find_key(blob.file, blob.place, blob.recipients, member)
            self._store.keep(blob.place, blob.commitment, key)
        return key


class OpenedBlobs:
    """Keep opened copies in a private folder, by commitment, place and recipients.

    All three, because the same sealed bytes may be named in a second place, by
    one who copied their commitment; there they do not open.

    Args:
        folder: Where they are; made private if it is new.
        keys: Where keys come from.

    Raises:
        SettingsError: The folder cannot be used, or others may look into it.
    """

    def __init__(self, folder: Path, keys: KeySource) -> None:
        make_private(folder)
        self._folder = folder
        self._keys = keys

    def open(self, blob: SealedBlob) -> Path:
        """Return where the content of a blob is; read it, never write to it.

        Raises:
            ErasedError: Its key was destroyed; so is now what it opened.
            SealedError: No key to it is here.
            UnsealingError: It does not open as the protocol asks.
            SettingsError: The disk refuses.
        """
        target = self._path(blob)
        try:
            key = self._keys.key_of(blob)
        except ErasedError:
            destroy(target)
            raise
        if not target.exists():
            unseal(blob.file, target, key, blob.place, blob.recipients)
        return target

    def destroy(self, blob: SealedBlob) -> None:
        """Destroy the opened copy of a blob, if there is one."""
        destroy(self._path(blob))

    def _path(self, blob: SealedBlob) -> Path:
        named = blob.place.bind("opened", str(blob.commitment), blob.recipients.digest)
        return self._folder / hashlib.sha256(named).hexdigest()
