"""RLP from strangers: decoded strictly, and never deeper than the form asked for.

https://ethereum.org/developers/docs/data-structures-and-encoding/rlp/
"""

from __future__ import annotations

from typing import TypeAlias

from fednet.errors import MalformedBlobError

Rlp: TypeAlias = "bytes | list[Rlp]"
_MAX_DEPTH = 8


def encode(value: object) -> bytes:
    """Encode bytes, whole numbers from 0 up, and lists of them."""
    if isinstance(value, list | tuple):
        body = b"".join(map(encode, value))
        return _head(len(body), 0xC0) + body
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8)
    if not isinstance(value, bytes):
        raise TypeError(f"RLP does not know {type(value).__name__}")
    if len(value) == 1 and value[0] < 0x80:
        return bytes(value)
    return _head(len(value), 0x80) + value


def decode(data: bytes, subject: str) -> Rlp:
    """Decode one value that takes all the bytes.

    Raises:
        MalformedBlobError: It is not the canonical encoding of any value.
    """
    try:
        value, end = _item(data, 0, len(data), 0)
    except (ValueError, IndexError) as exc:
        raise MalformedBlobError("not RLP", subject=subject, actual=str(exc)[:80]) from exc
    if end != len(data):
        raise MalformedBlobError("bytes follow the RLP value", subject=subject)
    return value


def split(data: bytes, subject: str) -> list[bytes]:
    """Cut a row of lists into the bytes of each.

    Raises:
        MalformedBlobError: It is no such row.
    """
    parts, at = [], 0
    try:
        while at < len(data):
            if data[at] < 0xC0:
                raise ValueError("not a list")
            _, end = _extent(data, at, len(data), 0xC0)
            parts.append(data[at:end])
            at = end
    except (ValueError, IndexError) as exc:
        raise MalformedBlobError("not RLP", subject=subject, actual=str(exc)[:80]) from exc
    return parts


def decode_list(data: bytes, subject: str) -> list[Rlp]:
    """Decode a list; see `decode`."""
    return as_list(decode(data, subject), subject)


def as_list(value: Rlp, subject: str, length: int | None = None) -> list[Rlp]:
    """Take a value for a list.

    Raises:
        MalformedBlobError: It is none, or not of this length.
    """
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise MalformedBlobError("not a list of the right length", subject=subject)
    return value


def as_bytes(value: Rlp, subject: str, length: int | None = None) -> bytes:
    """Take a value for bytes.

    Raises:
        MalformedBlobError: It is none, or not of this length.
    """
    if not isinstance(value, bytes) or (length is not None and len(value) != length):
        raise MalformedBlobError("not bytes of the right length", subject=subject)
    return value


def as_int(value: Rlp, subject: str) -> int:
    """Take a value for a whole number of at most 32 bytes without leading zeros.

    Raises:
        MalformedBlobError: It is none.
    """
    raw = as_bytes(value, subject)
    if len(raw) > 32 or raw[:1] == b"\0":
        raise MalformedBlobError("not a whole number", subject=subject)
    return int.from_bytes(raw)


def _head(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes((offset + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((offset + 55 + len(size),)) + size


def _item(data: bytes, at: int, end: int, depth: int) -> tuple[Rlp, int]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if at >= end:
        raise ValueError("cut short")
    head = data[at]
    if head < 0x80:
        return data[at : at + 1], at + 1
    if head < 0xC0:
        start, stop = _extent(data, at, end, 0x80)
        if stop - start == 1 and data[start] < 0x80:
            raise ValueError("a byte in a longer form")
        return data[start:stop], stop
    start, stop = _extent(data, at, end, 0xC0)
    items: list[Rlp] = []
    while start < stop:
        item, start = _item(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _extent(data: bytes, at: int, end: int, offset: int) -> tuple[int, int]:
    length, start = data[at] - offset, at + 1
    if length > 55:
        size = length - 55
        raw = data[start : start + size]
        length, start = int.from_bytes(raw), start + size
        if len(raw) != size or raw[0] == 0 or length < 56:
            raise ValueError("a length in a longer form")
    if start + length > end:
        raise ValueError("cut short")
    return start, start + length
