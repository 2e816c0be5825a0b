"""Random numbers that nobody outside can foretell, for what must hide records.

A plan's seed is public, and so is everything drawn from it; noise and samples of
differential privacy are drawn from here: AES-256 in counter mode (NIST SP 800-38A)
under a key that the operating system gave this process and that is kept nowhere.

Which floats a noisy number can be would tell what the noise was added to (Mironov,
2012, https://doi.org/10.1145/2382196.2382264). So noise is drawn in whole steps of a
grid, to be added to numbers on the same grid: what comes out can be any step of it,
whatever went in (compare Haney et al., 2022, https://arxiv.org/abs/2207.13793).
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KEY_BYTES, _BLOCK_BYTES = 32, 16
_WHOLE = 1 << 64


class SecretStream:
    """Draw words, chances and normal numbers.

    Args:
        key: 32 bytes; only tests give one.
    """

    def __init__(self, key: bytes | None = None) -> None:
        secret = os.urandom(_KEY_BYTES) if key is None else key
        cipher = Cipher(algorithms.AES(secret), modes.CTR(bytes(_BLOCK_BYTES)))
        self._encryptor = cipher.encryptor()

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """Return whole numbers, uniform below 2**64."""
        return np.frombuffer(self._encryptor.update(bytes(8 * count)), np.uint64)

    def chosen(self, count: int, part: int, of: int) -> npt.NDArray[np.bool_]:
        """Choose each of some things by itself with a chance of part / of.

        Args:
            count: How many there are.
            part: At least 0; everything is chosen where it is not below ``of``.
            of: At least 1.
        """
        if part >= of:
            return np.ones(count, np.bool_)
        # Rounded down: nothing is chosen more often than the account says.
        return self.words(count) < np.uint64(part * _WHOLE // of)

    def normal(self, count: int, deviation: float, grid: float) -> npt.NDArray[np.float64]:
        """Return normal numbers of mean 0, each rounded to a multiple of the grid.

        Args:
            count: How many.
            deviation: Their standard deviation.
            grid: A power of two, far below the deviation but above 2**-40 of it.
        """
        # By Box and Muller, 1958: two numbers for two words.
        half = (count + 1) // 2
        words = self.words(2 * half)
        # 1 to 2**64 parts of the whole, so that the logarithm is finite and the tail is long.
        share = (words[:half].astype(np.float64) + 1) / _WHOLE
        radius = np.sqrt(-2 * np.log(share)) * (deviation / grid)
        angle = words[half:].astype(np.float64) * (2 * np.pi / _WHOLE)
        both = (radius * np.cos(angle), radius * np.sin(angle))
        drawn: npt.NDArray[np.float64] = np.concatenate(both)[:count]
        np.rint(drawn, out=drawn)
        drawn *= grid
        return drawn
