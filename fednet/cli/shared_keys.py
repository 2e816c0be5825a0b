"""The keys in this home that sites of a run share, for homomorphic encryption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Digest, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import SettingsError, VerificationError

if TYPE_CHECKING:
    from fednet.privacy.homomorphic import CkksKey
    from fednet.privacy.sealing import EncryptionKeys

FOLDER = "shared-keys"


def make(app: App) -> Digest:
    """Draw a key and keep it; return its identity.

    Raises:
        SettingsError: TenSEAL is not installed, or the disk refuses.
    """
    from fednet.node.encrypting import keep_shared_key
    from fednet.privacy.homomorphic import CkksKey

    key = CkksKey.generate()
    keep_shared_key(app.home / FOLDER, key)
    return key.identity


def identities(app: App) -> Sequence[str]:
    """List the keys of this home."""
    from fednet.node.encrypting import KEY_SUFFIX

    return sorted(path.stem for path in (app.home / FOLDER).glob(f"*{KEY_SUFFIX}"))


def find(app: App, identity: Digest) -> CkksKey:
    """Return a key of this home.

    Raises:
        SettingsError: It is not here, or TenSEAL is not installed.
    """
    from fednet.node.encrypting import shared_keys

    return shared_keys(app.home / FOLDER)(identity)


def of_run(app: App, reader: LedgerReader, store: BlobStore, run: RunId) -> CkksKey | None:
    """Return what the sites of a run share, if the run encrypts and this home has it.

    Raises:
        FednetError: The plan cannot be had, or TenSEAL is not installed.
    """
    from fednet.cli import queries
    from fednet.node.terms import read_terms

    section = read_terms(reader, store, queries.opening_of(reader, run).opened).plan.homomorphic
    if not section.key or section.key not in identities(app):
        return None
    return find(app, Digest(section.key))


def give(app: App, reader: LedgerReader, text: str, site: SiteId) -> bytes:
    """Seal a key of this home for a site.

    Raises:
        SettingsError: No such key, or one that cannot be sealed for the site.
        LedgerError: There is no such site.
    """
    from fednet.privacy.homomorphic.handing import hand_over

    try:
        identity = Digest(text)
    except VerificationError as exc:
        raise SettingsError(
            "is no identity of a key",
            subject=text[:80],
            expected="64 hexadecimal digits",
            hint="`fednet homomorphic list` shows those of this home",
        ) from exc
    public = bytes(reader.site(site).encryption_key)
    return hand_over(find(app, identity), reader.deployment.chain_id, public)


def take(app: App, reader: LedgerReader, pairs: EncryptionKeys, file: Path) -> Digest:
    """Open a key that was sealed for this site and keep it; return its identity.

    Raises:
        UnsealingError: It is for another site or chain, or altered.
        SettingsError: The password does not open the site's key, or the file cannot be read.
    """
    from fednet.node.encrypting import keep_shared_key
    from fednet.privacy.homomorphic.handing import MOST_HANDED_BYTES, take_over

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_HANDED_BYTES + 1)
    except OSError as exc:
        raise SettingsError(
            "cannot be read", subject=str(file), actual=exc.strerror, hint="check the path"
        ) from exc
    private = pairs.holding(pairs.public_key())
    key = take_over(data, reader.deployment.chain_id, private)
    keep_shared_key(app.home / FOLDER, key)
    return key.identity
