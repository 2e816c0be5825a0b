"""Run a node until a signal comes; it ends within two seconds, whatever it is doing."""

from __future__ import annotations

import signal
from threading import Event, Thread
from types import FrameType

from fednet.node.node import Node

_FAREWELL_SECONDS = 1.0


def run_until_signal(node: Node) -> None:
    """Run a node in the background and wait for SIGINT or SIGTERM; only in a main thread.

    What the node is doing at that moment is left undone: its threads are daemons,
    and chain and journal say where to go on.

    Raises:
        FednetError: The node could not start or had to end by itself.
    """
    ended = Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            node.run()
        except BaseException as exc:
            failures.append(exc)
        finally:
            ended.set()

    def leave(number: int, frame: FrameType | None) -> None:
        node.stop()
        ended.set()

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    thread = Thread(target=work, name="node", daemon=True)
    try:
        thread.start()
        ended.wait()
        thread.join(_FAREWELL_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failures:
        raise failures[0]
