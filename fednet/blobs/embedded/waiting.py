"""Wait until a descriptor can be read, however many a process has open: select() ends at 1,024."""

from __future__ import annotations

import select


def can_read(descriptor: int, seconds: float) -> bool:
    """Wait until there is something to read, or its end, for so long at most."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1_000))
