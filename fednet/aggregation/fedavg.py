"""Weighted federated averaging.

McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", 2017, https://arxiv.org/abs/1602.05629. With updates as
differences u_i of weight w_i from the base state:

    combined = (sum_i w_i * u_i) / (sum_i w_i)

in float64, over i in ascending order of site.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fednet.aggregation.chunks import Worker, for_each_chunk
from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.kernels import GROUP_SIZE, choose_kernel, make_kernel
from fednet.aggregation.vector import CHUNK_ELEMENTS, Contribution


class FedAvg:
    """Average by examples; see the module."""

    name = "fedavg"

    def __init__(self, kernel: str | None = None) -> None:
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        count = contributions[0].values.element_count
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
                sums = total[: end - start]
                sums.fill(0.0)
                for first in range(0, len(contributions), GROUP_SIZE):
                    group = contributions[first : first + GROUP_SIZE]
                    for entry, values in zip(group, chunks, strict=False):
                        entry.values.read_into(start, values)
                    kernel.add(sums, chunks[: len(group)], weights[first : first + len(group)])
                np.divide(sums, weight_sum, out=sums)
                emit(start, sums)

            return work

        for_each_chunk(count, threads, make_worker)
        return {}
