"""The state that round 1 starts from: checked by whoever opens, joins or audits a run."""

from __future__ import annotations

import numpy as np

from fednet.codec.files import TensorFile
from fednet.codec.state import check_state
from fednet.domain.blobs import BlobFile
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.errors import MalformedBlobError, VerificationError

_CHUNK_ELEMENTS = 1 << 16


def check_initial_state(path: BlobFile, plan: Plan, subject: str) -> StateShape:
    """Check that a state is just what the plan asks for, its added tensors zeros.

    Added are a server optimiser's moments and SCAFFOLD's control variate: other
    values than zeros would steer a run in a way that no site consented to.

    Raises:
        MalformedBlobError: Not a state's canonical bytes, not finite, or an added tensor
            that is not zero.
        ShapeMismatchError: It holds other tensors than the plan accounts for.
        PlanError: A pattern of the plan matches no tensor.
        VerificationError: Its size is not the plan's.
        SettingsError: The file cannot be opened.
    """
    header = check_state(path, size_limit_bytes=plan.model.size_bytes, subject=subject)
    if header.file_size_bytes != plan.model.size_bytes:
        raise VerificationError(
            "size is not the plan's",
            subject=subject,
            expected=plan.model.size_bytes,
            actual=header.file_size_bytes,
        )
    shape = StateShape.of_state(plan, header.layout, subject)
    with TensorFile(path, subject, plan.model.size_bytes) as file:
        start = 0
        for spec in shape.state.tensors:
            if shape.is_added(spec.name) and _holds_values(file, start, spec.element_count):
                raise MalformedBlobError(
                    "an added tensor does not start at zero",
                    subject=f"{subject}, {spec.name}",
                    expected="zeros",
                )
            start += spec.element_count
    return shape


def _holds_values(file: TensorFile, start: int, count: int) -> bool:
    """Tell whether a stretch of a file holds anything but zeros, in little memory."""
    buffer = np.empty(min(count, _CHUNK_ELEMENTS), np.float32)
    for at in range(start, start + count, _CHUNK_ELEMENTS):
        values = buffer[: min(_CHUNK_ELEMENTS, start + count - at)]
        file.read_into(at, values)
        if values.any():
            return True
    return False
