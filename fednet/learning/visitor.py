"""The process in which a task visits a site: ``python -m fednet.learning.visitor``.

It reads one frame that says what it may reach, puts up the walls, answers with
a report of them, and only then imports the task. From there on it answers one
request after another until the node closes the pipe. It holds no key, its
environment is empty but for a few harmless names, and it dies with the node:
the kernel kills it when the lifeline pipe loses its other end.

Nothing here imports torch or NumPy before the walls stand.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from fednet.errors import FednetError
from fednet.learning import wire
from fednet.learning.walls.erect import Enclosure, erect

_F_SETSIG = 10


def main() -> int:
    """Serve the node at the other end of stdin and stdout until it hangs up."""
    # Importing torch makes a million objects, none of them garbage.
    gc.set_threshold(50_000, 20, 20)
    requests, replies = _take_pipes()
    frame = wire.read_frame(requests)
    if frame is None:
        return 0
    opening = frame[0]
    _tie_to_node(wire.count(opening, "lifeline"))
    walls = erect(_enclosure(opening))
    _reply(replies, {"walls": [[wall.name, wall.stands, wall.reason] for wall in walls]})
    # The node answers the report by going on, or by hanging up.
    frame = wire.read_frame(requests)
    if frame is None:
        return 0
    try:
        # Imported behind the walls: torch is large, and the task is not ours.
        from fednet.learning.service import Service

        service = Service.start(frame[0])
    except FednetError as exc:
        _reply(replies, _fault(exc))
        return 1
    _reply(replies, {"ready": True})
    while (frame := wire.read_frame(requests)) is not None:
        try:
            message, payload = service.serve(*frame)
        except FednetError as exc:
            message, payload = _fault(exc), b""
        _reply(replies, message, payload)
    return 0


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for us: what the task prints goes to stderr, its stdin is empty."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _tie_to_node(lifeline: int) -> None:
    """Have the kernel kill this process when the node is gone, however it went."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


def _enclosure(opening: wire.Message) -> Enclosure:
    return Enclosure(
        readable=_paths(opening, "readable"),
        writable=_paths(opening, "writable"),
        memory_bytes=wire.count(opening, "memory_bytes"),
        cpu_seconds=wire.count(opening, "cpu_seconds"),
        file_size_bytes=wire.count(opening, "file_size_bytes"),
    )


def _paths(opening: wire.Message, key: str) -> tuple[Path, ...]:
    listed = opening[key]
    if not isinstance(listed, list):
        raise RuntimeError(f"{key} is not a list")
    return tuple(Path(str(item)) for item in listed)


def _reply(replies: BinaryIO, message: wire.Message, payload: bytes = b"") -> None:
    replies.write(b"".join(wire.pack(message, payload)))
    replies.flush()


def _fault(exc: FednetError) -> wire.Message:
    optional = {"expected": exc.expected, "actual": exc.actual}
    return {
        "error": type(exc).__name__,
        "message": wire.plain_text(exc.message),
        "subject": wire.plain_text(exc.subject),
        "hint": wire.plain_text(exc.hint),
        **{key: None if text is None else wire.plain_text(text) for key, text in optional.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
