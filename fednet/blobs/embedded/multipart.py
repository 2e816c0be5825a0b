"""Read the bodies that ``add`` receives: chunked HTTP, then multipart files.

Only what a Kubo client sends is understood; everything else is an error, and
every part and header is bounded before it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote

_BLOCK_SIZE_BYTES = 256 * 1024
_LINE_CAP_BYTES = 8 * 1024
_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?')
_FILE_NAME = re.compile(r'filename="([^"]*)"')


class ByteStream(Protocol):
    """What is needed of a connection."""

    def read(self, size: int, /) -> bytes:
        """Return exactly so many bytes, fewer only at the end."""
        ...

    def readline(self, size: int, /) -> bytes:
        """Return a line with its end, or so many bytes of it."""
        ...


class BodyError(Exception):
    """Report a request body that cannot be read."""


def body_blocks(stream: ByteStream, length: str | None, encoding: str | None) -> Iterator[bytes]:
    """Yield the bytes of a request's body, whichever way it is framed."""
    if encoding == "chunked":
        yield from _chunked(stream)
        return
    if encoding is not None or not (length or "0").isdecimal():
        raise BodyError("unsupported body framing")
    yield from _exactly(stream, int(length or "0"))


def files(
    blocks: Iterator[bytes], content_type: str, file_cap_bytes: int
) -> Iterator[tuple[str, bytearray]]:
    """Yield name and bytes of every file of a multipart body.

    Raises:
        BodyError: Malformed, cut short, or a file over the cap.
    """
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.startswith("multipart/form-data"):
        raise BodyError("expected multipart/form-data")
    delimiter = b"\r\n--" + match[1].encode()
    # The first delimiter has no line before it; give it one.
    buffer = bytearray(b"\r\n")
    _take_until(buffer, blocks, delimiter, _LINE_CAP_BYTES)
    while True:
        if _take(buffer, blocks, 2) == b"--":
            return
        head = bytes(_take_until(buffer, blocks, b"\r\n\r\n", _LINE_CAP_BYTES)).decode("latin-1")
        name = _FILE_NAME.search(head)
        yield (
            unquote(name[1]) if name else "",
            _take_until(buffer, blocks, delimiter, file_cap_bytes),
        )


def _take(buffer: bytearray, blocks: Iterator[bytes], size: int) -> bytes:
    while len(buffer) < size:
        _more(buffer, blocks)
    taken = bytes(buffer[:size])
    del buffer[:size]
    return taken


def _take_until(buffer: bytearray, blocks: Iterator[bytes], mark: bytes, cap: int) -> bytearray:
    searched = 0
    while (found := buffer.find(mark, searched)) < 0:
        searched = max(0, len(buffer) - len(mark))
        if searched > cap:
            raise BodyError(f"part over {cap} bytes")
        _more(buffer, blocks)
    if found > cap:
        raise BodyError(f"part over {cap} bytes")
    taken = buffer[:found]
    del buffer[: found + len(mark)]
    return taken


def _more(buffer: bytearray, blocks: Iterator[bytes]) -> None:
    block = next(blocks, b"")
    if not block:
        raise BodyError("body cut short")
    buffer += block


def _chunked(stream: ByteStream) -> Iterator[bytes]:
    while True:
        line = stream.readline(_LINE_CAP_BYTES)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise BodyError("malformed chunk") from None
        if size <= 0:
            break
        yield from _exactly(stream, size)
        if stream.readline(_LINE_CAP_BYTES) != b"\r\n":
            raise BodyError("malformed chunk")
    while stream.readline(_LINE_CAP_BYTES) not in (b"\r\n", b""):
        pass


def _exactly(stream: ByteStream, size: int) -> Iterator[bytes]:
    while size:
        block = stream.read(min(size, _BLOCK_SIZE_BYTES))
        if not block:
            raise BodyError("body cut short")
        size -= len(block)
        yield block
