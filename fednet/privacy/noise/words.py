"""Where a sampler takes its random words from; in earnest, `fednet.domain.randomness`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

WORD_BITS = 64


class Words(Protocol):
    """Where randomness comes from."""

    def take(self, count: int) -> npt.NDArray[np.uint64]:
        """Return that many words, each uniform below 2**64."""
        ...
