"""Between a torch module's state and named NumPy arrays; float32 only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError, TrainingError


def read_state(model: torch.nn.Module) -> dict[str, FloatArray]:
    """Copy a model's parameters and buffers, sorted by name.

    Raises:
        TaskError: There are none, or one is not float32 on the CPU.
    """
    state = model.state_dict()
    if not state:
        raise TaskError("the model has no parameters", subject="model")
    for name, tensor in state.items():
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise TaskError(
                "only float32 tensors can be federated",
                subject=name,
                expected="torch.float32 on the CPU",
                actual=f"{tensor.dtype} on {tensor.device.type}",
                hint="keep counters out of the state: track_running_stats=False, GroupNorm, "
                "or register_buffer(..., persistent=False)",
            )
        if tensor.numel() == 0:
            raise TaskError("an empty tensor cannot be federated", subject=name)
    return {name: state[name].detach().numpy().copy() for name in sorted(state)}


def write_state(model: torch.nn.Module, arrays: Mapping[str, FloatArray]) -> None:
    """Load named arrays into a model of the same layout.

    Raises:
        TrainingError: A name or shape does not fit.
    """
    state = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as exc:
        raise TrainingError(
            "the global model does not fit the task's model",
            subject="model",
            hint="the plan and this task's code disagree; compare the task digests",
        ) from exc
