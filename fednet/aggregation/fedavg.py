"""Weighted federated averaging.

McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", 2017, https://arxiv.org/abs/1602.05629. With updates as
differences u_i of weight w_i from the base state:

    next = float32(base + (sum_i w_i * u_i) / (sum_i w_i))

in float64, over i in ascending order of site, with one rounding at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fednet.aggregation.chunks import Worker, for_each_chunk
from fednet.aggregation.kernels import GROUP_SIZE, choose_kernel, make_kernel
from fednet.aggregation.vector import CHUNK_ELEMENTS, Contribution, Vector
from fednet.domain.tensors import FloatArray
from fednet.errors import AggregationError

Outcome = dict[str, str | int | list[int]]


class FedAvg:
    """Average by examples; see the module."""

    name = "fedavg"

    def __init__(self, kernel: str | None = None) -> None:
        self._kernel = kernel

    def combine(
        self,
        base: Vector,
        contributions: Sequence[Contribution],
        write: Callable[[int, FloatArray], None],
        threads: int,
    ) -> Outcome:
        count = base.element_count
        kernel_name = self._kernel or choose_kernel(count, len(contributions))
        weights = [float(entry.weight) for entry in contributions]
        weight_sum = float(sum(entry.weight for entry in contributions))

        def make_worker() -> Worker:
            size = min(CHUNK_ELEMENTS, count)
            kernel = make_kernel(size, kernel_name)
            buffers = [np.empty(size, np.float32) for _ in range(GROUP_SIZE)]
            total = np.empty(size, np.float64)

            def work(start: int, end: int) -> None:
                chunks = [buffer[: end - start] for buffer in buffers]
                chunk, sums = chunks[0], total[: end - start]
                sums.fill(0.0)
                for first in range(0, len(contributions), GROUP_SIZE):
                    group = contributions[first : first + GROUP_SIZE]
                    for entry, values in zip(group, chunks, strict=False):
                        entry.values.read_into(start, values)
                    kernel.add(sums, chunks[: len(group)], weights[first : first + len(group)])
                base.read_into(start, chunk)
                kernel.finish(chunk, chunk, sums, weight_sum)
                if not np.isfinite(chunk).all():
                    raise AggregationError("the next state is not finite")
                write(start, chunk)

            return work

        for_each_chunk(count, threads, make_worker)
        return {}
