"""Encrypt a stream in chunks that can be trusted one by one, and only in their order.

The STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015),
with the nonces of the age format: eleven bytes that count the chunks, big-endian,
and one that marks the last. A chunk that is moved, left out or repeated, and a
stream that is cut short or continued, does not authenticate. Only the last
chunk is shorter than the others, and it is empty only if the content is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fednet.errors import UnsealingError

CHUNK_SIZE_BYTES: Final = 1 << 16
TAG_SIZE_BYTES: Final = 16

_HINT = (
    "the key is another's, or the bytes belong to another place or were altered: fetch them again,"
    " from another member if it stays"
)


class Readable(Protocol):
    """What bytes are read from; a read may give fewer than it was asked for."""

    def read(self, size: int, /) -> bytes | None:
        """Return some bytes, or none at the end."""
        ...


def sealed_size_bytes(content_size_bytes: int) -> int:
    """Return how long a content is once it stands in chunks."""
    count = max(1, -(-content_size_bytes // CHUNK_SIZE_BYTES))
    return content_size_bytes + count * TAG_SIZE_BYTES


def seal_chunks(key: bytes, file: Readable) -> Iterator[tuple[bytes, bytes]]:
    """Encrypt to the end of a file.

    Args:
        key: 32 bytes; never used for another content.
        file: What to read.

    Yields:
        Each piece of the content, and the chunk that it becomes.
    """
    box = ChaCha20Poly1305(key)
    for number, (piece, is_last) in enumerate(_pieces(file, CHUNK_SIZE_BYTES)):
        yield piece, box.encrypt(_nonce(number, is_last), piece, None)


def open_chunks(key: bytes, file: Readable, subject: str) -> Iterator[bytes]:
    """Decrypt to the end of a file; only the end of the iteration says that it is whole.

    Yields:
        Each authentic piece of the content.

    Raises:
        UnsealingError: A chunk does not authenticate where it stands.
    """
    box = ChaCha20Poly1305(key)
    for number, (chunk, is_last) in enumerate(_pieces(file, CHUNK_SIZE_BYTES + TAG_SIZE_BYTES)):
        piece = _open_one(box, number, is_last, chunk)
        if piece is None:
            raise UnsealingError(
                _why(box, number, is_last, chunk), subject=f"{subject}, chunk {number}", hint=_HINT
            )
        if number and not piece:
            raise UnsealingError("ends with an empty chunk", subject=subject, hint=_HINT)
        yield piece


def _open_one(box: ChaCha20Poly1305, number: int, is_last: bool, chunk: bytes) -> bytes | None:
    try:
        return box.decrypt(_nonce(number, is_last), chunk, None)
    except InvalidTag:
        return None


def _why(box: ChaCha20Poly1305, number: int, is_last: bool, chunk: bytes) -> str:
    short = "the sealed bytes are cut short"
    if len(chunk) < TAG_SIZE_BYTES:
        return short
    if _open_one(box, number, not is_last, chunk) is None:
        return "does not open with this key in this place"
    return short if is_last else "the sealed bytes go on after their end"


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _pieces(file: Readable, size_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """Cut a file into pieces of one size, at least one, and mark the last."""
    piece = read_fully(file, size_bytes)
    while following := read_fully(file, size_bytes):
        yield piece, False
        piece = following
    yield piece, True


def read_fully(file: Readable, size_bytes: int) -> bytes:
    """Read so many bytes, or fewer where the file ends."""
    data = file.read(size_bytes) or b""
    if len(data) in (0, size_bytes):
        return data
    parts, missing = [data], size_bytes - len(data)
    while missing and (data := file.read(missing) or b""):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)
