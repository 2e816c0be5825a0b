"""Random words that nobody can foretell, for what must hide records.

AES-256 in counter mode (NIST SP 800-38A) under a key that the operating system gave
this process and that is kept nowhere. A plan's seed is public, and so is everything
drawn from it.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KEY_BYTES, _BLOCK_BYTES = 32, 16


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
