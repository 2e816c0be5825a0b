"""Masks: keystreams of AES-256 in counter mode (NIST SP 800-38A), added to a vector in place.

A key is used for one stream only, so the counter starts at zero; its bytes are
read as little-endian elements of the ring. AES with the processor's own
instructions is half as quick again as ChaCha20 here, and many times quicker
than a generator of NumPy, of which none is made for secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from fednet.privacy.masking.ring import Ring, RingArray

CHUNK_ELEMENTS = 1 << 16
"""Elements masked at a time: with a keystream beside them they fit a core's own cache."""
_BLOCK_SIZE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Term:
    """One mask, and whether it is added or taken away."""

    key: bytes = field(repr=False)
    adds: bool

    def reversed(self) -> Term:
        """Return what undoes this."""
        return Term(self.key, not self.adds)


class Masks:
    """Add several masks to consecutive chunks of one vector.

    Args:
        terms: The masks.
        ring: Ring of the vector's elements.
    """

    def __init__(self, terms: Sequence[Term], ring: Ring) -> None:
        self._streams = [(_stream(term.key), term.adds) for term in terms]
        self._zeros = bytes(CHUNK_ELEMENTS * ring.size_bytes)
        self._bytes = bytearray(len(self._zeros))
        self._elements = np.frombuffer(self._bytes, ring.dtype)
        self._ring = ring

    def add_to(self, chunk: RingArray) -> None:
        """Mask the next elements, at most ``CHUNK_ELEMENTS`` of them, in place."""
        size = chunk.size * self._ring.size_bytes
        zeros, keystream = memoryview(self._zeros)[:size], memoryview(self._bytes)[:size]
        elements = self._elements[: chunk.size]
        for stream, adds in self._streams:
            stream.update_into(zeros, keystream)
            (np.add if adds else np.subtract)(chunk, elements, out=chunk)


def keystream(key: bytes, size_bytes: int) -> bytes:
    """Return the first bytes of a key's stream."""
    return _stream(key).update(bytes(size_bytes))


def _stream(key: bytes) -> CipherContext:
    return Cipher(AES(key), CTR(bytes(_BLOCK_SIZE_BYTES))).encryptor()
