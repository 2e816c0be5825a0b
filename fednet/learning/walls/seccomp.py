"""Seccomp: the system calls a task has no business making.

A classic BPF program that refuses, with EPERM, whatever would start a process,
open a socket, touch another process, escape the memory limit, or change the
metadata of a file that Landlock lets it see. Threads stay possible. Known for
x86-64 only. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from fednet.learning.walls import kernel

_AUDIT_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENT, _OFFSET_SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS

_CLONE, _CLONE3, _PRLIMIT, _FCNTL = 56, 435, 302, 72
_F_SETOWN, _F_SETOWN_EX = 8, 15
_KILL_CALLS = {"kill": 62, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297}

REFUSED = {
    # another process, another program
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "tkill": 200, "ptrace": 101,
    "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_open": 434,
    "pidfd_send_signal": 424, "pidfd_getfd": 438, "kcmp": 312, "process_madvise": 440,
    "process_mrelease": 448, "setpriority": 141, "ioprio_set": 251, "sched_setaffinity": 203,
    "sched_setparam": 142, "sched_setscheduler": 144, "sched_setattr": 314,
    "migrate_pages": 256, "move_pages": 279,
    # a socket, or a way around this filter
    "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "io_uring_setup": 425,
    # namespaces, mounts, the kernel itself
    "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155,
    "chroot": 161, "open_tree": 428, "move_mount": 429, "fsopen": 430, "bpf": 321,
    "perf_event_open": 298, "userfaultfd": 323, "kexec_load": 246, "init_module": 175,
    "finit_module": 313, "fanotify_init": 300, "open_by_handle_at": 304,
    "add_key": 248, "request_key": 249, "keyctl": 250,
    # memory that the limits do not count, and objects that outlive the process
    "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "shmat": 30, "semget": 64,
    "msgget": 68, "mq_open": 240,
    # files it may read but not change: Landlock leaves metadata alone
    "truncate": 76, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452,
    "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "setxattr": 188,
    "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
    "fremovexattr": 199, "utime": 132, "utimes": 235, "utimensat": 280, "futimesat": 261,
    "inotify_add_watch": 254,
}  # fmt: skip
"""Names and x86-64 numbers of the calls that always answer EPERM."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict() -> None:
    """Put the filter on this process and all its threads to come, for good.

    Needs ``PR_SET_NO_NEW_PRIVS``.

    Raises:
        OSError: The kernel refused, or the processor is not x86-64.
    """
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, f"no filter is written for {platform.machine()}")
    code = _program(os.getpid())
    program = _Program(len(code) // 8, code)
    kernel.prctl(kernel.PR_SET_SECCOMP, 2, ctypes.byref(program))


def _program(process_id: int) -> bytes:
    lines = [
        _step(_LOAD, _OFFSET_ARCH),
        _step(_EQUAL, _AUDIT_ARCH_X86_64, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _OFFSET_NUMBER),
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
    ]
    for number in sorted(REFUSED.values()):
        lines += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    # The C library falls back to clone, whose flags a filter can read.
    lines += [_step(_EQUAL, _CLONE3, 0, 1), _step(_RETURN, _UNKNOWN)]
    lines += _only_if(_CLONE, _step(_ANY_BIT, _CLONE_THREAD, 0, 1))
    for number in sorted(_KILL_CALLS.values()):
        lines += _only_if(number, _step(_EQUAL, process_id, 0, 1))
    lines += _only_if(_PRLIMIT, _step(_EQUAL, 0, 0, 1))
    lines += _no_foreign_signals()
    lines.append(_step(_RETURN, _ALLOW))
    return b"".join(lines)


def _only_if(number: int, test_first_argument: bytes) -> list[bytes]:
    """Allow one call only when its first argument passes the test."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, _OFFSET_ARGUMENT),
        test_first_argument,
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
    ]


def _no_foreign_signals() -> list[bytes]:
    """Refuse to name an owner for a descriptor: its events would signal that process."""
    return [
        _step(_EQUAL, _FCNTL, 0, 5),
        _step(_LOAD, _OFFSET_SECOND_ARGUMENT),
        _step(_EQUAL, _F_SETOWN, 2, 0),
        _step(_EQUAL, _F_SETOWN_EX, 1, 0),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
