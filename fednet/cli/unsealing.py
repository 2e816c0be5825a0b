"""What this home can open of a run's sealed blobs, and what it can grant to a reader."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fednet.audit.granted import Keys, SealedRun, granted_keys
from fednet.cli import applying, output, queries
from fednet.cli.app import App, Signer
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RoundProposed
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import SettingsError
from fednet.node.terms import read_terms
from fednet.privacy.sealing import Keychain, Keyring, KeySource, KeyStore, MemberKeys

FOLDER = "content-keys"


def content_keys(app: App, site: SiteId) -> KeyStore:
    """Open the content keys that a site of this home keeps."""
    return KeyStore(app.home / FOLDER, site)


def key_source(
    app: App, signer: Signer, reader: LedgerReader, store: BlobStore, run: RunId
) -> KeySource:
    """Find what this home can open a run's blobs with: as a member, or by what was granted to it.

    Raises:
        SettingsError: The password does not open the encryption key.
        FednetError: The ledger or the store does not answer.
    """
    pairs = applying.encryption_keys(app, signer)
    pairs.public_key()  # says at once if the password is wrong
    seconds = app.settings().store.timeout_seconds
    keys = granted_keys(reader, store, run, pairs.holding, seconds, _note)
    site = SiteId(app.settings().site.id)
    if not site:
        return Keyring(keys)
    return Keychain(MemberKeys(content_keys(app, site), site, pairs.holding), Keyring(keys))


def open_state(
    app: App,
    signer: Signer,
    reader: LedgerReader,
    store: BlobStore,
    run: RunId,
    wanted: int | None = None,
) -> tuple[RoundProposed, bytes]:
    """Open the state of a final round; the latest unless another is wanted.

    Raises:
        SealedError: No key to it is here.
        FednetError: The round is not final, or its blobs cannot be had.
    """
    with _sealed_run(app, signer, reader, store, run, of_states=True) as found:
        said, path = found.open_state(wanted)
        return said, path.read_bytes()


def gather_keys(
    app: App, signer: Signer, reader: LedgerReader, store: BlobStore, run: RunId
) -> Keys:
    """Collect the keys to the run's updates and final states, as far as this home opens them.

    Raises:
        SettingsError: It opens none of them, or the run seals nothing.
        FednetError: The ledger or the store does not answer.
    """
    with _sealed_run(app, signer, reader, store, run) as found:
        keys = found.gather_keys(_note)
    if not keys:
        raise SettingsError(
            "this home opens no blob of the run",
            subject=f"run {run}",
            hint="a member grants keys, in the home in which its node ran; those of encrypted "
            "updates an aggregator",
        )
    return keys


@contextmanager
def _sealed_run(
    app: App,
    signer: Signer,
    reader: LedgerReader,
    store: BlobStore,
    run: RunId,
    *,
    of_states: bool = False,
) -> Iterator[SealedRun]:
    plan = read_terms(reader, store, queries.opening_of(reader, run).opened).plan
    if not plan.privacy.sealed and (of_states or not plan.is_encrypted):
        raise SettingsError(
            "this run seals no states" if of_states else "this run seals nothing",
            subject=f"run {run}",
            hint="everybody can read it; take its model with `fednet model get`",
        )
    keys = key_source(app, signer, reader, store, run)
    seconds = app.settings().store.timeout_seconds
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        yield SealedRun(reader, store, run, plan, keys, Path(folder) / "opened", seconds)


def _note(text: str) -> None:
    output.say(f"note: no key: {text}")
