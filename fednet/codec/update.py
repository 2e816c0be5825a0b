"""An update on its way out: its bytes, and how large they may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fednet.codec.codecs import codec_of
from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest


def write_update(
    path: Path, arrays: Mapping[str, FloatArray], manifest: Manifest, codec: str = "float32"
) -> Commitment:
    """Write an update durably in its one form and return its commitment.

    Args:
        path: Where the file goes; replaced whole or not at all.
        arrays: The difference new - base, float32, by the state's names.
        manifest: Who did this, where, from which state.
        codec: The plan's ``update.codec``.

    Raises:
        TypeError: An array is not float32.
        PlanError: Unknown codec.
    """
    return codec_of(codec).write(path, arrays, manifest.to_metadata())


def update_size_limit_bytes(plan: Plan) -> int:
    """Bound the complete bytes of an update under a plan, before any is fetched."""
    return codec_of(plan.update.codec).size_limit_bytes(plan.model.size_bytes)
