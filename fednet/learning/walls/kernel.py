"""Call the kernel where the standard library has no name for it.

System call numbers of Landlock are the same on every processor; the others go
through the C library's own functions.
"""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
PR_SET_DUMPABLE = 4


def syscall(number: int, *arguments: object) -> int:
    """Make one system call and return its result.

    Raises:
        OSError: The kernel refused.
    """
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def unshare(flags: int) -> None:
    """Leave the namespaces named by the flags for new, empty ones."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def prctl(option: int, *arguments: object) -> None:
    """Set one property of this process."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    converted = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded]
    _checked(_libc.prctl(ctypes.c_int(option), *converted))


def drop_capabilities() -> None:
    """Give up every capability, for root and inside a user namespace alike."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
