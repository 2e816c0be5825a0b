"""Know an update's values again, wherever they stand."""

from __future__ import annotations

import hashlib

import numpy as np

from fednet.domain.identity import Commitment
from fednet.domain.update import UpdateFile

_CHUNK_ELEMENTS = 1 << 16


def digest_of(file: UpdateFile) -> Commitment:
    """Hash an update's values without its manifest; the file is closed afterwards."""
    state, count = hashlib.sha256(), file.element_count
    buffer = np.empty(min(_CHUNK_ELEMENTS, count), "<f4")
    with file:
        for start in range(0, count, _CHUNK_ELEMENTS):
            chunk = buffer[: min(_CHUNK_ELEMENTS, count - start)]
            file.read_into(start, chunk)
            state.update(chunk.tobytes())
    return Commitment(state.digest())
