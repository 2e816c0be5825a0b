"""Several sets of named tensors as one, each name led by its group's; no torch.

``{"model": {"weight": w}}`` becomes ``{"model/weight": w}``, so that one file
carries a base model with a control variate and what a site kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from fednet.domain.tensors import FloatArray

MODEL, CONTROL, KEPT, UPDATE = "model", "control", "kept", "update"
"""Groups that travel between a node and its visiting task."""
OWN_CONTROL, OWN_TENSORS, OWN_MODEL = "control", "personal", "beside"
"""Groups within what a site keeps: its control variate, its local heads, its Ditto model."""

Arrays = Mapping[str, FloatArray]


def join(groups: Mapping[str, Arrays]) -> dict[str, FloatArray]:
    """Put groups together."""
    return {
        f"{group}/{name}": value for group, own in groups.items() for name, value in own.items()
    }


def take(arrays: Arrays, group: str) -> dict[str, FloatArray]:
    """Return one group by its own names; empty if there is none."""
    start = f"{group}/"
    return {
        name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)
    }


def matching(patterns: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return the names that one of a plan's patterns stands for."""
    wanted = tuple(patterns)
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in wanted)}
