"""Run a rule over disjoint chunks on several threads.

Each thread owns its buffers and takes the next chunk that nobody has begun. A
chunk's bytes depend on that chunk's inputs alone, so neither the number of
threads nor their speed can change them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from fednet.aggregation.vector import CHUNK_ELEMENTS

Worker = Callable[[int, int], None]
"""Combines the elements from a start up to an end."""


def for_each_chunk(
    element_count: int,
    threads: int,
    make_worker: Callable[[], Worker],
    chunk_elements: int = CHUNK_ELEMENTS,
) -> None:
    """Call workers until every chunk of a vector is done.

    Args:
        element_count: Elements of the vector.
        threads: At least 1; more than there are chunks are not started.
        make_worker: Makes one thread's worker with buffers of its own.
        chunk_elements: Elements of a chunk, the last one excepted.
    """
    starts = range(0, element_count, chunk_elements)

    waiting, taking = iter(starts), Lock()

    def work() -> None:
        worker = make_worker()
        while True:
            with taking:
                start = next(waiting, None)
            if start is None:
                return
            worker(start, min(start + chunk_elements, element_count))

    count = max(1, min(threads, len(starts)))
    if count == 1:
        work()
        return
    with ThreadPoolExecutor(count, thread_name_prefix="aggregate") as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()
