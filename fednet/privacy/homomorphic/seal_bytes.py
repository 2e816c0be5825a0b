"""Ciphertexts of Microsoft SEAL as TenSEAL hands them out, and back; all sizes known beforehand.

TenSEAL writes a vector as a protocol-buffer message: its length, one or more
ciphertexts of SEAL, their scale. SEAL writes a ciphertext behind a header of its
own, packed by Zstandard or not at all: the digest of the parameters, the form,
the shape, the scale, then the words of both polynomials. Only the words say
something that is not known beforehand, so that only they travel; the rest is
compared when it is read and put back when it is written. Formats:
https://github.com/microsoft/SEAL/blob/v4.1.1/native/src/seal/ciphertext.cpp and
https://github.com/OpenMined/TenSEAL/blob/main/tenseal/proto/tensors.proto
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from struct import Struct

import numpy as np
import zstandard

from fednet.errors import MalformedBlobError
from fednet.privacy.homomorphic.scheme import WORD_SIZE_BYTES, WordArray

_HEADER = Struct("<HBBBBHQ")
"""Magic, size of this header, version (2), packing, reserved, size of all."""
_MAGIC, _VERSION = 0xA15E, (4, 3)
_PLAIN, _ZSTANDARD = 0, 2
_CKKS = 2
_PARAMETERS = Struct("<QQQQ")
"""Scheme, degree, the one modulus, the modulus of plaintexts, which CKKS has none of."""
_SHAPE = Struct("<?QQQdQ")
"""In transformed form, polynomials, degree, moduli, scale, correction, which CKKS leaves at 1."""
_COUNT = Struct("<Q")
_POLYNOMIALS = 2
_LENGTHS, _CIPHERTEXTS, _SCALE = 0x0A, 0x12, 0x19
"""Tags of the message's fields."""
_MOST_PACKED = 1.1
"""Zstandard never makes words that look random longer than this many times."""


@dataclass(frozen=True)
class SealBytes:
    """The one spelling of a ciphertext of two polynomials under one modulus."""

    degree: int
    modulus: int
    scale: float

    @property
    def word_count(self) -> int:
        """Count the words of a ciphertext."""
        return _POLYNOMIALS * self.degree

    @cached_property
    def _head(self) -> bytes:
        """Return what stands before the words."""
        parameters = _PARAMETERS.pack(_CKKS, self.degree, self.modulus, 0)
        digest = hashlib.blake2b(parameters, digest_size=32).digest()
        shape = _SHAPE.pack(True, _POLYNOMIALS, self.degree, 1, self.scale, 1)
        words = _COUNT.size + self.word_count * WORD_SIZE_BYTES
        header = _header(words)
        return digest + shape + header + _COUNT.pack(self.word_count)

    def read(self, message: bytes) -> WordArray:
        """Return the words of a vector of one ciphertext.

        Raises:
            MalformedBlobError: Of other parameters, another version, or cut short.
        """
        stored = _field(message, _CIPHERTEXTS)
        body = _unpack(stored, len(self._head) + self.word_count * WORD_SIZE_BYTES)
        if body[: len(self._head)] != self._head:
            raise _malformed("its parameters are others")
        return np.frombuffer(body, "<u8", offset=len(self._head))

    def write(self, words: WordArray, length: int) -> bytes:
        """Return a vector of so many numbers with the given words.

        Args:
            words: Shape (word_count,), each below the modulus.
            length: Numbers in the vector.
        """
        body = self._head + words.astype("<u8", copy=False).tobytes()
        stored = _header(len(body)) + body
        lengths = _varint(length)
        return b"".join((
            bytes([_LENGTHS]), _varint(len(lengths)), lengths,
            bytes([_CIPHERTEXTS]), _varint(len(stored)), stored,
            bytes([_SCALE]), Struct("<d").pack(self.scale),
        ))  # fmt: skip


def _header(size_bytes: int) -> bytes:
    """Return the header before so many bytes that are not packed."""
    return _HEADER.pack(_MAGIC, _HEADER.size, *_VERSION, _PLAIN, 0, _HEADER.size + size_bytes)


def _unpack(stored: bytes, size_bytes: int) -> bytes:
    """Return what a stored object holds, which must be of a size."""
    if not _HEADER.size < len(stored) < size_bytes * _MOST_PACKED + _HEADER.size:
        raise _malformed("has a wrong size")
    magic, header_size, major, minor, packing, _, size = _HEADER.unpack_from(stored)
    if (magic, header_size, major, minor, size) != (
        _MAGIC, _HEADER.size, *_VERSION, len(stored),
    ):  # fmt: skip
        raise _malformed("is of another version, or was cut short")
    body = stored[_HEADER.size :]
    if packing == _ZSTANDARD:
        reader = zstandard.ZstdDecompressor().stream_reader(body)
        try:
            body = reader.read(size_bytes + 1)
        except zstandard.ZstdError as exc:
            raise _malformed("cannot be unpacked") from exc
    elif packing != _PLAIN:
        raise _malformed("is packed in another way")
    if len(body) != size_bytes:
        raise _malformed("has a wrong size")
    return body


def _field(message: bytes, wanted: int) -> bytes:
    """Return the one field of a tag in a message of the known fields."""
    found, position = [], 0
    while position < len(message):
        tag, start = message[position], position + 1
        if tag in (_LENGTHS, _CIPHERTEXTS):
            size, start = _read_varint(message, start)
        elif tag == _SCALE:
            size = 8
        else:
            raise _malformed("holds an unknown field")
        position = start + size
        if position > len(message):
            raise _malformed("was cut short")
        if tag == wanted:
            found.append(message[start:position])
    if len(found) != 1:
        raise _malformed("is not one ciphertext")
    return found[0]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(message: bytes, start: int) -> tuple[int, int]:
    number = 0
    for place in range(5):
        if start + place >= len(message):
            break
        byte = message[start + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, start + place + 1
    raise _malformed("holds no length")


def _malformed(message: str) -> MalformedBlobError:
    return MalformedBlobError(
        message,
        subject="ciphertext from TenSEAL",
        hint="this version of TenSEAL writes otherwise: install the one that fednet names",
    )
