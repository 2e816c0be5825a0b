"""Alter one byte of a stored update, as a careless or a dishonest keeper would."""

from __future__ import annotations

import base64
from pathlib import Path

from fednet.blobs.pieces import scan
from fednet.domain.identity import Commitment, Locator


def alter(home: Path, commitment: Commitment) -> None:
    """Flip a bit in the middle of a blob in a home's store, and drop its verified copy.

    The store keeps a small blob as one block in one file, named by its digest,
    and does not hash it again when it is read: whoever reads has to.

    Raises:
        FileNotFoundError: The home does not keep the blob.
    """
    copy = home / "cache" / str(commitment)
    block = _block_file(home / "store", scan(copy)[0].pieces[0].locator)
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 1
    block.chmod(0o600)
    block.write_bytes(data)
    copy.unlink()


def _block_file(repository: Path, locator: Locator) -> Path:
    """Find a block's file: base32 of its multihash, in a folder of the last but one letters."""
    multihash = b"\x12\x20" + bytes(locator)
    name = base64.b32encode(multihash).decode("ascii").rstrip("=")
    found = repository / "blocks" / name[-3:-1] / f"{name}.data"
    if not found.is_file():
        raise FileNotFoundError(found)
    return found
