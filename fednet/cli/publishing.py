"""Put small texts and files into the store, and read them back, verified."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, Locator


def publish_text(store: BlobStore, text: bytes) -> tuple[Commitment, Locator]:
    """Publish bytes; return what they are committed to by and where they are."""
    with tempfile.TemporaryDirectory(prefix="fednet-") as folder:
        path = Path(folder, "text")
        path.write_bytes(text)
        return Commitment.of(text), store.publish(path)


def fetch(
    app: App, store: BlobStore, commitment: Commitment, locator: Locator, size_cap_bytes: int
) -> bytes:
    """Fetch a blob that fits into memory.

    Raises:
        BlobMissingError: Nobody serves it.
    """
    return fetch_file(app, store, commitment, locator, size_cap_bytes).read_bytes()


def fetch_file(
    app: App, store: BlobStore, commitment: Commitment, locator: Locator, size_cap_bytes: int
) -> Path:
    """Fetch a blob into the store's cache.

    Raises:
        BlobMissingError: Nobody serves it.
    """
    timeout = app.settings().store.timeout_seconds
    return store.fetch(commitment, [locator], size_cap_bytes, timeout)
