"""Blobs that only the members of their round can read, in whatever store they lie.

``seal`` encrypts a file under a key of its own and writes, at its head, a letter
with that key for every member. ``OpenedBlobs`` opens what others sealed, with
the keys of a member (``MemberKeys``) or with granted ones (``Keyring``), and
tells what is sealed and what is erased. ``EncryptionKeys`` keeps the pairs that
letters are wrapped for, ``KeyStore`` the content keys of a site, and each
destroys what it is told to. ``write_grant`` hands keys to an auditor. Sizes are
not hidden.

Which members there are and where bytes lie is for the caller to know; see
"Sealed blobs" in docs/protocol.md and docs/adr/0022-sealed-blobs.md.
"""

from fednet.privacy.sealing.erasure import Erasure
from fednet.privacy.sealing.files import (
    Written,
    find_key,
    is_key_of,
    seal,
    sealed_size_bytes,
    unseal,
)
from fednet.privacy.sealing.grants import GrantPlace, read_grant, write_grant
from fednet.privacy.sealing.keyring import Keychain, Keyring
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.letters import Member, Recipients
from fednet.privacy.sealing.opened import KeySource, MemberKeys, OpenedBlobs, SealedBlob
from fednet.privacy.sealing.pairs import EncryptionKeys
from fednet.privacy.sealing.place import BlobPlace
from fednet.privacy.sealing.store import KeyStore

__all__ = [
    "BlobPlace",
    "ContentKey",
    "EncryptionKeys",
    "Erasure",
    "GrantPlace",
    "KeySource",
    "KeyStore",
    "Keychain",
    "Keyring",
    "Member",
    "MemberKeys",
    "OpenedBlobs",
    "Recipients",
    "SealedBlob",
    "Written",
    "find_key",
    "is_key_of",
    "read_grant",
    "seal",
    "sealed_size_bytes",
    "unseal",
    "write_grant",
]
