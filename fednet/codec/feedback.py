"""Error feedback: what a codec lost in one round is sent in a later one.

The site adds what was not sent before to what it wants to send now (Karimireddy
et al., 2019, https://arxiv.org/abs/1901.09847). The residual never leaves the
site and nobody recomputes it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fednet.domain.sections import UpdateSection
from fednet.domain.tensors import FloatArray, Layout
from fednet.domain.update import UpdateFile


def is_lossy(section: UpdateSection) -> bool:
    """Tell whether updates of a plan decode to other values than were written."""
    return section.codec != "float32"


def with_residual(
    arrays: Mapping[str, FloatArray], residual: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return an update plus what was not sent before.

    Args:
        arrays: What training gave, float32, by the state's names.
        residual: What `residual_of` left; of other names or shapes, or empty, it counts as zero.
    """
    if not residual or Layout.of(arrays) != Layout.of(residual):
        return dict(arrays)
    return {name: np.asarray(array + residual[name]) for name, array in arrays.items()}


def residual_of(wanted: Mapping[str, FloatArray], sent: UpdateFile) -> dict[str, FloatArray]:
    """Return what was wanted less what the bytes that are sent decode to.

    Args:
        wanted: The arrays that were written; of the file's names and shapes.
        sent: The file, open.
    """
    residual, start = {}, 0
    for spec in sent.layout.tensors:
        decoded = np.empty(spec.element_count, np.float32)
        sent.read_into(start, decoded)
        residual[spec.name] = np.asarray(wanted[spec.name] - decoded.reshape(spec.shape))
        start += spec.element_count
    return residual
