"""The weighted sum that most rules end in, streamed chunk by chunk.

    combined = (sum_i c_i * u_i) / divisor

in float64, over i in ascending order of site.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fednet.aggregation.chunks import Worker, for_each_chunk
from fednet.aggregation.interface import Emit
from fednet.aggregation.kernels import GROUP_SIZE, choose_kernel, make_kernel
from fednet.aggregation.vector import CHUNK_ELEMENTS, Contribution


def weighted_sum(
    contributions: Sequence[Contribution],
    coefficients: Sequence[float],
    divisor: float,
    emit: Emit,
    threads: int,
    kernel: str | None = None,
) -> None:
    """Emit the sum of the updates, each times its coefficient, over a divisor.

    Args:
        contributions: At least one, in ascending order of site, of equal length.
        coefficients: One for each.
        divisor: Above 0.
        emit: Takes float64 elements.
        threads: At least 1.
        kernel: "numpy" or "numba"; the quicker one unless given. The bytes are the same.
    """
    count = contributions[0].values.element_count
    kernel_name = kernel or choose_kernel(count * len(contributions))

    def make_worker() -> Worker:
        size = min(CHUNK_ELEMENTS, count)
        arithmetic = make_kernel(size, kernel_name)
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
                arithmetic.add(sums, chunks[: len(group)], coefficients[first : first + len(group)])
            np.divide(sums, divisor, out=sums)
            emit(start, sums)

        return work

    for_each_chunk(count, threads, make_worker)
