"""Chances and normal numbers that nobody outside can foretell, for differential privacy.

Which floats a noisy number can be would tell what the noise was added to (Mironov,
2012, https://doi.org/10.1145/2382196.2382264). So noise is drawn in whole steps of a
grid, to be added to numbers on the same grid: what comes out can be any step of it,
whatever went in (compare Haney et al., 2022, https://arxiv.org/abs/2207.13793).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fednet.domain.randomness import SecretWords

_WHOLE = 1 << 64


class SecretStream(SecretWords):
    """Draw chances and normal numbers, too."""

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
        return self.take(count) < np.uint64(part * _WHOLE // of)

    def normal(self, count: int, deviation: float, grid: float) -> npt.NDArray[np.float64]:
        """Return normal numbers of mean 0, each rounded to a multiple of the grid.

        Args:
            count: How many.
            deviation: Their standard deviation.
            grid: A power of two, far below the deviation but above 2**-40 of it.
        """
        # By Box and Muller, 1958: two numbers for two words.
        half = (count + 1) // 2
        words = self.take(2 * half)
        # 1 to 2**64 parts of the whole, so that the logarithm is finite and the tail is long.
        share = (words[:half].astype(np.float64) + 1) / _WHOLE
        radius = np.sqrt(-2 * np.log(share)) * (deviation / grid)
        angle = words[half:].astype(np.float64) * (2 * np.pi / _WHOLE)
        both = (radius * np.cos(angle), radius * np.sin(angle))
        drawn: npt.NDArray[np.float64] = np.concatenate(both)[:count]
        np.rint(drawn, out=drawn)
        drawn *= grid
        return drawn
