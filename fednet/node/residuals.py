"""Send later what a codec lost: a site's residual between two rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fednet.codec import open_update
from fednet.codec.feedback import is_lossy, residual_of
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray

_GROUP = "residual/"

Arrays = Mapping[str, FloatArray]


def split(kept: Arrays) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Tell what training left from the residual, which bears the state's names."""
    own = {name: array for name, array in kept.items() if not name.startswith(_GROUP)}
    residual = {
        name.removeprefix(_GROUP): array for name, array in kept.items() if name.startswith(_GROUP)
    }
    return own, residual


def lost(wanted: Arrays, path: Path, plan: Plan, shape: StateShape) -> dict[str, FloatArray]:
    """Return what to keep of an update that was just written; nothing if nothing was lost.

    Args:
        wanted: The arrays that were written.
        path: The update's file.
        plan: Plan of the run; names the codec.
        shape: States of the run.
    """
    if not is_lossy(plan.update):
        return {}
    with open_update(path, "update", plan, shape) as sent:
        residual = residual_of(wanted, sent)
    return {_GROUP + name: array for name, array in residual.items()}
