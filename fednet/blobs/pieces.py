"""The piece list: how a blob of any size travels as objects of bounded size.

A blob that fits into one object travels as that object and is located by its
CID; a longer one is located by a list of its pieces, canonical JSON:
``{"format", "pieces": [{"cid", "sha256", "size_bytes"}], "size_bytes"}``. It
comes from strangers: it is bounded before it is read, and believed in nothing
but where to look; the commitment decides what was found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fednet.blobs.cid import CHUNK_SIZE_BYTES, cid_of, digest_of, locate_bytes, locate_chunks
from fednet.domain import canonical
from fednet.domain.identity import Commitment, Digest, Locator
from fednet.errors import MalformedBlobError, StoreError, VerificationError

FORMAT = "fednet-pieces/1"
_LIST_START = b'{"format":"fednet-pieces/'
PIECE_SIZE_BYTES = 16 * 1024 * 1024
"""Kubo reads an object whole into memory, so objects stay small."""
LIST_SIZE_CAP_BYTES = 1024 * 1024
"""Enough for about 100 GB."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One object of a blob."""

    locator: Locator
    """Digest inside the piece's own CIDv0."""
    commitment: Commitment
    """SHA-256 of the piece's bytes."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PieceList:
    """The ordered pieces of one blob."""

    pieces: tuple[Piece, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole blob."""
        return sum(piece.size_bytes for piece in self.pieces)

    @property
    def cids(self) -> list[str]:
        """CIDs of the pieces, each once."""
        return list(dict.fromkeys(cid_of(piece.locator) for piece in self.pieces))

    def encode(self) -> bytes:
        """Write the canonical bytes."""
        entries = [
            {
                "cid": cid_of(piece.locator),
                "sha256": piece.commitment.hex(),
                "size_bytes": piece.size_bytes,
            }
            for piece in self.pieces
        ]
        return canonical.encode(
            {"format": FORMAT, "pieces": entries, "size_bytes": self.size_bytes}
        )

    @property
    def stands_alone(self) -> bool:
        """Tell whether the blob is one object, which needs no list to be found."""
        return len(self.pieces) == 1

    def locate(self) -> Locator:
        """Compute the locator of the whole blob."""
        return self.pieces[0].locator if self.stands_alone else locate_bytes(self.encode())


def scan(path: Path) -> tuple[PieceList, Commitment]:
    """Cut a file into pieces and hash it, in constant memory.

    Raises:
        StoreError: The file is empty or cannot be read, or the list would be over its cap.
    """
    pieces: list[Piece] = []
    whole = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while True:
                state = hashlib.sha256()
                size = 0

                def chunks(state: hashlib._Hash = state) -> Iterator[bytes]:
                    nonlocal size
                    while size < PIECE_SIZE_BYTES and (chunk := file.read(CHUNK_SIZE_BYTES)):
                        size += len(chunk)
                        state.update(chunk)
                        whole.update(chunk)
                        yield chunk

                locator = locate_chunks(chunks())
                if not size:
                    break
                pieces.append(Piece(locator, Commitment(state.digest()), size))
    except OSError as exc:
        raise StoreError("cannot read the blob", subject=path.name, actual=exc.strerror) from exc
    if not pieces:
        raise StoreError("the blob is empty", subject=path.name, expected="at least 1 byte")
    listed = PieceList(tuple(pieces))
    if not listed.stands_alone and len(listed.encode()) > LIST_SIZE_CAP_BYTES:
        raise StoreError("the blob is too large", subject=path.name, actual=listed.size_bytes)
    return listed, Commitment(whole.digest())


def looks_like_list(data: bytes | bytearray) -> bool:
    """Tell whether an object means to be a piece list rather than a blob."""
    return data.startswith(_LIST_START)


def parse(data: bytes, size_cap_bytes: int, subject: str) -> PieceList:
    """Read a stranger's piece list.

    Raises:
        MalformedBlobError: Anything about it is not as `scan` would have written it,
            or the blob is over the cap.
    """
    if len(data) > LIST_SIZE_CAP_BYTES:
        raise MalformedBlobError(
            "piece list too large", subject=subject, expected=f"at most {LIST_SIZE_CAP_BYTES} bytes"
        )
    value = canonical.decode(data, subject)
    if not isinstance(value, dict) or set(value) != {"format", "pieces", "size_bytes"}:
        raise MalformedBlobError("not a piece list", subject=subject)
    if value["format"] != FORMAT:
        raise MalformedBlobError(
            "unknown piece list", subject=subject, expected=FORMAT, actual=str(value["format"])[:80]
        )
    entries = value["pieces"]
    if not isinstance(entries, list) or not entries:
        raise MalformedBlobError("a piece list names at least one piece", subject=subject)
    listed = PieceList(tuple(_piece(entry, subject) for entry in entries))
    if any(piece.size_bytes != PIECE_SIZE_BYTES for piece in listed.pieces[:-1]):
        raise MalformedBlobError("only the last piece may be short", subject=subject)
    if type(value["size_bytes"]) is not int or value["size_bytes"] != listed.size_bytes:
        raise MalformedBlobError(
            "sizes do not add up",
            subject=subject,
            expected=listed.size_bytes,
            actual=str(value["size_bytes"])[:80],
        )
    if listed.size_bytes > size_cap_bytes:
        raise MalformedBlobError(
            "blob over its size cap",
            subject=subject,
            expected=f"at most {size_cap_bytes} bytes",
            actual=listed.size_bytes,
        )
    return listed


def _piece(entry: object, subject: str) -> Piece:
    if not isinstance(entry, dict) or set(entry) != {"cid", "sha256", "size_bytes"}:
        raise MalformedBlobError("not a piece", subject=subject)
    cid, sha256, size = entry["cid"], entry["sha256"], entry["size_bytes"]
    if not isinstance(cid, str) or not isinstance(sha256, str):
        raise MalformedBlobError("not a piece", subject=subject)
    if type(size) is not int or not 0 < size <= PIECE_SIZE_BYTES:
        raise MalformedBlobError(
            "piece size out of bounds",
            subject=subject,
            expected=f"1 to {PIECE_SIZE_BYTES} bytes",
            actual=str(size)[:80],
        )
    try:
        commitment = Digest(sha256)
    except VerificationError as exc:
        raise MalformedBlobError("not a digest", subject=subject, actual=sha256[:80]) from exc
    if commitment.hex() != sha256:
        raise MalformedBlobError("digest not in lower case", subject=subject, actual=sha256[:80])
    return Piece(digest_of(cid, subject), Commitment(commitment), size)
