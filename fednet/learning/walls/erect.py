"""Put all walls up around this process, before any of the task's code is read.

The order matters: namespaces while there is one thread, limits, no new
privileges, Landlock, and seccomp last because it refuses what the others need.
A wall that the platform does not have is reported, not silently left out; the
site decides whether to let the task in without it.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

from fednet.learning.walls import kernel, landlock, seccomp
from fednet.learning.walls.report import Wall

_NEW_USER, _NEW_NET, _NEW_IPC, _NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
_SYSTEM_READABLE = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
    "/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
    "/usr/share/zoneinfo",
)  # fmt: skip
"""Libraries and facts about the processor that Python and torch read."""
_SYSTEM_WRITABLE = ("/dev/null",)
"""What libraries that torch imports where they are installed open for writing (dill)."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """What the process may reach from now on."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    memory_bytes: int
    cpu_seconds: int
    file_size_bytes: int


def erect(enclosure: Enclosure) -> tuple[Wall, ...]:
    """Enclose this process for good and report every wall.

    Call it while the process has a single thread.
    """
    limits = _set_limits(enclosure)
    namespaces, has_net = _leave_namespaces()
    privileges = _give_up_privileges()
    files, landlock_abi = _restrict_files(enclosure)
    processes = _restrict_calls()
    network = _network_wall(has_net, processes.stands, landlock_abi)
    return (files, network, processes, privileges, namespaces, limits)


def _set_limits(enclosure: Enclosure) -> Wall:
    """Limit data, CPU time and file size; RLIMIT_AS would count torch's empty mappings."""
    wanted = (
        (resource.RLIMIT_DATA, enclosure.memory_bytes),
        (resource.RLIMIT_CPU, enclosure.cpu_seconds),
        (resource.RLIMIT_FSIZE, enclosure.file_size_bytes),
        (resource.RLIMIT_CORE, 0),
    )
    try:
        for which, value in wanted:
            hard = resource.getrlimit(which)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (value, value))
    except (OSError, ValueError) as exc:
        return Wall("memory", False, f"setrlimit: {exc}")
    return Wall("memory", True, "RLIMIT_DATA, and the parent watches the resident size")


def _leave_namespaces() -> tuple[Wall, bool]:
    flags = _NEW_NET | _NEW_IPC | _NEW_UTS
    problem = ""
    for attempt in (_NEW_USER | flags, flags):
        try:
            kernel.unshare(attempt)
        except OSError as exc:
            problem = f"unshare: {exc.strerror}"
        else:
            names = "user, network, IPC" if attempt & _NEW_USER else "network, IPC"
            return Wall("namespaces", True, f"own {names} and UTS namespaces"), True
    return Wall("namespaces", False, f"{problem}; unprivileged user namespaces are off"), False


def _give_up_privileges() -> Wall:
    try:
        kernel.drop_capabilities()
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    except OSError as exc:
        return Wall("privileges", False, f"prctl: {exc.strerror}")
    return Wall("privileges", True, "no capabilities, no new privileges")


def _restrict_files(enclosure: Enclosure) -> tuple[Wall, int]:
    readable = (*enclosure.readable, *(Path(path) for path in _SYSTEM_READABLE))
    writable = (*enclosure.writable, *(Path(path) for path in _SYSTEM_WRITABLE))
    try:
        version = landlock.restrict(readable, writable)
    except OSError as exc:
        return Wall("files", False, f"Landlock: {exc.strerror}; Linux 5.13 or newer has it"), 0
    return Wall("files", True, f"Landlock ABI {version}"), version


def _restrict_calls() -> Wall:
    try:
        seccomp.restrict()
    except OSError as exc:
        return Wall("processes", False, f"seccomp: {exc.strerror}")
    return Wall("processes", True, "seccomp refuses processes, sockets and signals")


def _network_wall(has_namespace: bool, has_filter: bool, landlock_abi: int) -> Wall:
    held = [
        name
        for name, stands in (
            ("network namespace", has_namespace),
            ("seccomp", has_filter),
        )
        if stands
    ]
    if not held:
        # Landlock alone stops TCP, but not UDP nor a named unix socket.
        return Wall("network", False, "neither a network namespace nor seccomp")
    extra = [f"Landlock ABI {landlock_abi}"] if landlock_abi >= landlock.TCP_SINCE_ABI else []
    return Wall("network", True, ", ".join([*held, *extra]))
