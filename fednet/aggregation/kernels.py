"""The arithmetic of a weighted sum over one chunk: NumPy is normative, numba quicker.

Both do the same IEEE 754 operations in the same order: widen to float64,
multiply by the weight, add. numba compiles without fused or reordered arithmetic, and a test
compares the bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray
from fednet.errors import AggregationError

DoubleArray = npt.NDArray[np.float64]

GROUP_SIZE = 4
"""Updates that are added in one pass, so that the sums are loaded and stored less often."""
_WORTH_COMPILING = 1 << 27
"""Values combined in all, from which loading numba pays for itself."""


class Kernel(Protocol):
    """Combine one chunk; an instance belongs to one thread."""

    def add(
        self, total: DoubleArray, group: Sequence[FloatArray], weights: Sequence[float]
    ) -> None:
        """Do ``total += weight * values`` for each of at most ``GROUP_SIZE``, in turn."""
        ...


class NumpyKernel:
    """The normative form."""

    def __init__(self, size: int) -> None:
        self._wide = np.empty(size, np.float64)

    def add(
        self, total: DoubleArray, group: Sequence[FloatArray], weights: Sequence[float]
    ) -> None:
        wide = self._wide[: total.size]
        for values, weight in zip(group, weights, strict=True):
            np.copyto(wide, values)
            np.multiply(wide, weight, out=wide)
            np.add(total, wide, out=total)


def make_kernel(size: int, name: str) -> Kernel:
    """Make one thread's kernel for chunks of at most ``size`` elements."""
    if name == "numba":
        compiled = importlib.import_module("fednet.aggregation.compiled")
        kernel: Kernel = compiled.NumbaKernel()
        return kernel
    return NumpyKernel(size)


def make_step() -> Callable[[FloatArray, DoubleArray, float], bool]:
    """Return numba's twin of a plain server step.

    It does ``model += factor * delta`` in float64, rounds once, and tells
    whether every value is finite.
    """
    compiled = importlib.import_module("fednet.aggregation.compiled")
    step: Callable[[FloatArray, DoubleArray, float], bool] = compiled.step
    return step


def choose_kernel(work: int) -> str:
    """Pick the quicker kernel for a number of values to combine; the bytes are the same."""
    return "numba" if work >= _WORTH_COMPILING and _has_numba() else "numpy"


def require_subnormals() -> None:
    """Refuse to combine where small numbers are flushed to zero.

    A library built for speed over accuracy can switch the processor to that
    mode for the whole process; members would then get different bytes.

    Raises:
        AggregationError: This process flushes small numbers.
    """
    smallest = np.array([np.finfo(np.float32).smallest_subnormal], np.float32)
    halves = np.array([np.finfo(np.float64).tiny], np.float64) * 0.5
    if not (smallest.astype(np.float64)[0] > 0 and halves[0] > 0):
        raise AggregationError(
            "this process flushes small numbers to zero",
            expected="IEEE 754 subnormal numbers",
            hint="a library switched the processor to flush-to-zero; restart without it",
        )


@cache
def _has_numba() -> bool:
    try:
        importlib.import_module("fednet.aggregation.compiled")
    except (ImportError, RuntimeError):
        # numba raises RuntimeError where it finds no folder for its compiled code.
        return False
    return True
