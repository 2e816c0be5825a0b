"""Where a sparse update's values stand: gaps between indices, entropy-coded.

Each gap (the index less the one before it less one) is a LEB128 number without
spare bytes, and the run of them is one Zstandard frame (RFC 8878) that declares
the size of its content and uses no dictionary. Memory is bounded before
anything is decompressed. A frame has no single spelling, so its bytes are never
compared: what it decompresses to has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import zstandard

from fednet.errors import MalformedBlobError

IndexArray = npt.NDArray[np.int64]

_MAGIC = zstandard.FRAME_HEADER
_LEVEL = 9
_LARGEST_WINDOW_BYTES = 8 << 20
_GROUP_BITS = 7
_CONTINUES = 0x80


def content_limit_bytes(count: int, element_count: int) -> int:
    """Bound the gaps of so many indices below a number, uncompressed."""
    return count * max(1, -(-(element_count - 1).bit_length() // _GROUP_BITS))


def packed_limit_bytes(count: int, element_count: int) -> int:
    """Bound the frame of so many indices below a number."""
    content = content_limit_bytes(count, element_count)
    return content + content // 256 + 64


def encode_indices(indices: IndexArray) -> bytes:
    """Return the frame of strictly increasing indices; at least one."""
    gaps = np.diff(indices, prepend=-1) - 1
    lengths = np.ones(gaps.size, np.int64)
    rest = gaps >> _GROUP_BITS
    while rest.any():
        lengths += rest > 0
        rest >>= _GROUP_BITS
    ends = np.cumsum(lengths)
    starts = ends - lengths
    content = np.zeros(int(ends[-1]), np.uint8)
    for at in range(int(lengths.max())):
        here = np.flatnonzero(lengths > at)
        group = (gaps[here] >> (_GROUP_BITS * at)) & (_CONTINUES - 1)
        group |= np.where(lengths[here] > at + 1, _CONTINUES, 0)
        content[starts[here] + at] = group
    compressor = zstandard.ZstdCompressor(
        level=_LEVEL, write_checksum=False, write_content_size=True, write_dict_id=False
    )
    return compressor.compress(content.data)


def decode_indices(frame: bytes, count: int, element_count: int, subject: str) -> IndexArray:
    """Read so many strictly increasing indices, each below ``element_count``.

    Raises:
        MalformedBlobError: The frame holds anything else.
    """
    content = np.frombuffer(_decompress(frame, count, element_count, subject), np.uint8)
    ends = np.flatnonzero(content < _CONTINUES)
    if ends.size != count or ends[-1] != content.size - 1:
        raise MalformedBlobError(
            "holds another number of indices", subject=subject, expected=count, actual=ends.size
        )
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if np.any((lengths > 1) & (content[ends] == 0)):
        raise MalformedBlobError("an index has spare bytes", subject=subject)
    longest = int(lengths.max())
    gaps = np.zeros(count, np.int64)
    if longest <= content_limit_bytes(1, element_count):
        for at in range(longest):
            here = np.flatnonzero(lengths > at)
            group = content[starts[here] + at].astype(np.int64) & (_CONTINUES - 1)
            gaps[here] |= group << (_GROUP_BITS * at)
        # A sum in floating point cannot wrap round; one that is far too large is seen.
        if float(gaps.sum(dtype=np.float64)) < 2 * element_count:
            indices: IndexArray = np.cumsum(gaps + 1) - 1
            if indices[-1] < element_count:
                return indices
    raise MalformedBlobError("an index is out of range", subject=subject, expected=element_count)


def _decompress(frame: bytes, count: int, element_count: int, subject: str) -> bytes:
    try:
        parameters = zstandard.get_frame_parameters(frame)
        size = parameters.content_size
        if (
            not frame.startswith(_MAGIC)
            or not count <= size <= content_limit_bytes(count, element_count)
            or parameters.window_size > max(size, _LARGEST_WINDOW_BYTES)
            or parameters.dict_id
            or parameters.has_checksum
        ):
            raise MalformedBlobError("frame of indices is not of the agreed kind", subject=subject)
        content = zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as exc:
        raise MalformedBlobError(
            "indices cannot be decompressed", subject=subject, actual=str(exc)[:120]
        ) from exc
    if len(content) != size:
        raise MalformedBlobError("frame of indices lies about its size", subject=subject)
    return content
