"""States ("global models") as files: written once, checked before anything trusts them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from fednet.codec.files import TensorFile, write_tensors
from fednet.codec.norm import squared_norm
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment
from fednet.domain.tensors import FloatArray, Layout, TensorHeader, require_same_layout
from fednet.domain.update import STATE_METADATA
from fednet.errors import MalformedBlobError


def write_state(path: Path, arrays: Mapping[str, FloatArray]) -> Commitment:
    """Write a state durably in its one form and return its commitment.

    Raises:
        TypeError: An array is not float32.
    """
    return write_tensors(path, arrays, STATE_METADATA)


def check_state(
    path: BlobFile,
    layout: Layout | None = None,
    size_limit_bytes: int | None = None,
    subject: str = "state",
) -> TensorHeader:
    """Check the bytes of a state: canonical, a state, of the given layout, finite.

    Raises:
        MalformedBlobError: Not a state's canonical bytes, or not finite.
        ShapeMismatchError: It does not describe the given model.
        SettingsError: The file cannot be opened.
    """
    with TensorFile(path, subject, size_limit_bytes) as file:
        if file.header.metadata != STATE_METADATA:
            raise MalformedBlobError(
                "is not a state", subject=subject, expected=STATE_METADATA["format"]
            )
        if layout is not None:
            require_same_layout(layout, file.layout, subject)
        if not math.isfinite(squared_norm(file)):
            raise MalformedBlobError("holds a value that is not finite", subject=subject)
        return file.header
