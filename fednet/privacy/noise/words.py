"""Random words that nobody can foretell: AES-256 in counter mode under a key of the system's."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

WORD_BITS = 64
_KEY_BYTES, _BLOCK_BYTES = 32, 16


class Words(Protocol):
    """Where randomness comes from."""

    def take(self, count: int) -> npt.NDArray[np.uint64]:
        """Return that many words, each uniform below 2**64."""
        ...


class SecretWords:
    """Draw words from a stream whose key is kept nowhere.

    Args:
        key: 32 bytes; only tests give one.
    """

    def __init__(self, key: bytes | None = None) -> None:
        secret = os.urandom(_KEY_BYTES) if key is None else key
        cipher = Cipher(algorithms.AES(secret), modes.CTR(bytes(_BLOCK_BYTES)))
        self._encryptor = cipher.encryptor()

    def take(self, count: int) -> npt.NDArray[np.uint64]:
        """Return that many words, each uniform below 2**64."""
        return np.frombuffer(self._encryptor.update(bytes(8 * count)), np.uint64)
