"""What the combined update does to the global model: nothing more, or an optimiser's step.

FedAvgM: Hsu et al., "Measuring the Effects of Non-Identical Data Distribution
for Federated Visual Classification", 2019, https://arxiv.org/abs/1909.06335.
FedAdagrad, FedAdam, FedYogi: Reddi et al., "Adaptive Federated Optimization",
2021, https://arxiv.org/abs/2003.00295, algorithm 2, with moments that start
at zero.

For each element, in float64 and in this order, x being the model, d the
combined difference, m and v the moments as the state holds them:

    none        x + lr d
    fedavgm     m' = b1 m + d;               x + lr m'
    fedadam     m' = b1 m + (1 - b1) d;      v' = b2 v + (1 - b2) d d
    fedyogi     m' = b1 m + (1 - b1) d;      v' = v - ((1 - b2) d d) sign(v - d d)
    fedadagrad  m' = b1 m + (1 - b1) d;      v' = v + d d
                x + (lr m') / (sqrt(v') + tau)   for these three

Each result is rounded to float32 once, when it is written. SCAFFOLD's control
variate takes c + share * d, share being the included part of the cohort
(Karimireddy et al., 2020, https://arxiv.org/abs/1910.06378).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from fednet.aggregation.kernels import DoubleArray, make_step
from fednet.aggregation.parts import Write, overlaps
from fednet.aggregation.vector import CHUNK_ELEMENTS, Vector
from fednet.domain.sections import ServerSection
from fednet.domain.shape import Part, Segment
from fednet.domain.tensors import FloatArray
from fednet.errors import AggregationError

PLAIN = ServerSection()


class ServerStep:
    """Turn the combined difference of one part into the next state, chunk by chunk.

    Args:
        section: The plan's optimiser.
        part: Part of the state that changes.
        base: State that the updates started from.
        write: Takes elements of the next state, from any thread.
        share: Included updates over the cohort, for a control variate.
        kernel: "numpy", or "numba" to take a plain step in one pass; the bytes are the same.
    """

    def __init__(
        self,
        section: ServerSection,
        part: Part,
        base: Vector,
        write: Write,
        share: float = 1.0,
        kernel: str = "numpy",
    ) -> None:
        self._compiled = kernel == "numba"
        self._section = section
        self._part = part
        self._base = base
        self._write = write
        self._share = share
        self._rate = float(section.learning_rate)
        self._first = float(section.momentum)
        self._second = float(section.second_momentum)
        self._tau = float(section.adaptivity)
        self._local = threading.local()

    def apply(self, start: int, delta: DoubleArray) -> None:
        """Take the combined difference from ``start`` on; it is used up.

        Raises:
            AggregationError: The next state would not be finite.
        """
        for segment, first, last in overlaps(self._part, start, start + delta.size):
            part = delta[first - start : last - start]
            for at in range(0, part.size, CHUNK_ELEMENTS):
                self._step(segment, first + at - segment.start, part[at : at + CHUNK_ELEMENTS])

    def _step(self, segment: Segment, offset: int, delta: DoubleArray) -> None:
        narrow, model, moments, scratch = self._buffers(delta.size)
        if self._compiled and (segment.is_control or self._section.optimizer == "none"):
            self._base.read_into(segment.state_start + offset, narrow)
            factor = self._share if segment.is_control else self._rate
            if not make_step()(narrow, delta, factor):
                raise AggregationError("the next state is not finite")
            self._write(segment.state_start + offset, narrow)
            return
        self._read(segment.state_start + offset, narrow, model)
        for start, moment in zip(segment.slot_starts, moments, strict=False):
            self._read(start + offset, narrow, moment)
        if segment.is_control:
            np.multiply(delta, self._share, out=delta)
            np.add(model, delta, out=model)
        else:
            self._optimize(model, delta, moments, scratch)
        self._put(segment.state_start + offset, narrow, model)
        for start, moment in zip(segment.slot_starts, moments, strict=False):
            self._put(start + offset, narrow, moment)

    def _optimize(
        self,
        model: DoubleArray,
        delta: DoubleArray,
        moments: Sequence[DoubleArray],
        scratch: DoubleArray,
    ) -> None:
        name = self._section.optimizer
        first, second = moments
        if name == "none":
            if self._rate != 1.0:
                np.multiply(delta, self._rate, out=delta)
            np.add(model, delta, out=model)
            return
        np.multiply(first, self._first, out=first)
        if name == "fedavgm":
            np.add(first, delta, out=first)
            np.multiply(first, self._rate, out=delta)
            np.add(model, delta, out=model)
            return
        np.multiply(delta, 1.0 - self._first, out=scratch)
        np.add(first, scratch, out=first)
        np.multiply(delta, delta, out=delta)
        self._second_moment(second, delta, scratch)
        np.sqrt(second, out=scratch)
        np.add(scratch, self._tau, out=scratch)
        np.multiply(first, self._rate, out=delta)
        np.divide(delta, scratch, out=delta)
        np.add(model, delta, out=model)

    def _second_moment(
        self, second: DoubleArray, squares: DoubleArray, scratch: DoubleArray
    ) -> None:
        """Update v in place; ``squares`` is used up."""
        if self._section.optimizer == "fedadagrad":
            np.add(second, squares, out=second)
            return
        if self._section.optimizer == "fedadam":
            np.multiply(second, self._second, out=second)
            np.multiply(squares, 1.0 - self._second, out=squares)
            np.add(second, squares, out=second)
            return
        np.subtract(second, squares, out=scratch)
        np.sign(scratch, out=scratch)
        np.multiply(squares, 1.0 - self._second, out=squares)
        np.multiply(squares, scratch, out=squares)
        np.subtract(second, squares, out=second)

    def _read(self, start: int, narrow: FloatArray, wide: DoubleArray) -> None:
        self._base.read_into(start, narrow)
        np.copyto(wide, narrow)

    def _put(self, start: int, narrow: FloatArray, wide: DoubleArray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(narrow, wide, casting="same_kind")
        if not np.isfinite(narrow).all():
            raise AggregationError("the next state is not finite")
        self._write(start, narrow)

    def _buffers(
        self, size: int
    ) -> tuple[FloatArray, DoubleArray, tuple[DoubleArray, DoubleArray], DoubleArray]:
        """Return this thread's buffers, cut to a size."""
        if not hasattr(self._local, "narrow"):
            self._local.narrow = np.empty(CHUNK_ELEMENTS, np.float32)
            self._local.wide = [np.empty(CHUNK_ELEMENTS, np.float64) for _ in range(4)]
        model, first, second, scratch = (each[:size] for each in self._local.wide)
        return self._local.narrow[:size], model, (first, second), scratch
