"""Everything a task might try against its site; each attempt raises when it is refused.

The tests copy this file beside a hostile task, with a `targets` module that
says what to aim at, and run it twice: behind the walls, and without them as a
control that shows that the attempt itself works.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import targets

_libc = ctypes.CDLL(None, use_errno=True)


def read_the_keystore() -> None:
    Path(targets.KEYSTORE).read_bytes()


def list_the_keystores() -> None:
    os.listdir(Path(targets.KEYSTORE).parent)


def read_a_file_in_home() -> None:
    Path(targets.HOME, "notes.txt").read_bytes()


def read_the_password_file() -> None:
    Path("/etc/passwd").read_bytes()


def read_another_dataset() -> None:
    Path(targets.OTHER_DATASET).read_bytes()


def list_the_datasets() -> None:
    os.listdir(Path(targets.OTHER_DATASET).parent)


def read_through_a_symbolic_link() -> None:
    link = Path("link")
    link.unlink(missing_ok=True)
    link.symlink_to(targets.KEYSTORE)
    link.read_bytes()


def read_the_own_code_s_neighbour() -> None:
    Path(targets.SOURCE, "uncovered.py").read_bytes()


def read_an_inherited_descriptor() -> None:
    for descriptor in range(3, 256):
        try:
            found = os.pread(descriptor, 100, 0)
        except OSError:
            continue
        if found == targets.SECRET:
            return
    raise PermissionError("no descriptor holds the secret")


def read_the_password_from_the_environment() -> None:
    os.environ["FEDNET_PASSWORD"]


def read_the_nodes_environment() -> None:
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


def read_the_nodes_memory() -> None:
    with open(f"/proc/{os.getppid()}/mem", "rb"):
        pass


def list_the_processes() -> None:
    os.listdir("/proc")


def signal_the_node() -> None:
    os.kill(os.getppid(), 0)


def signal_the_node_through_a_pipe() -> None:
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    finally:
        os.close(reading)
        os.close(writing)


def slow_the_node_down() -> None:
    os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))


def connect_over_tcp() -> None:
    socket.create_connection(("127.0.0.1", targets.TCP_PORT), timeout=5).close()


def send_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", targets.UDP_PORT))


def connect_to_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + targets.ABSTRACT_NAME)


def connect_to_a_named_socket() -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(targets.SOCKET_PATH)


def write_outside_of_scratch() -> None:
    Path(targets.HOME, "planted.txt").write_text("x")


def write_to_the_dataset() -> None:
    with open(targets.DATASET, "ab"):
        pass


def truncate_another_dataset() -> None:
    os.truncate(targets.VICTIM, 0)


def change_the_mode_of_a_file() -> None:
    os.chmod(targets.VICTIM, 0o644)


def change_the_times_of_a_file() -> None:
    os.utime(targets.VICTIM)


def remove_a_file() -> None:
    Path(targets.HOME, "removable.txt").unlink()


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def run_a_program() -> None:
    subprocess.run([shutil.which("true") or "/bin/true"], check=True)


def leave_a_process_behind() -> None:
    left = subprocess.Popen([sys.executable, "-c", "pass"], start_new_session=True)
    left.wait()


def replace_itself_by_a_program() -> None:
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], {})
    os.waitpid(child, 0)


def hide_memory_in_a_nameless_file() -> None:
    os.close(os.memfd_create("hidden"))


def hide_memory_in_a_shared_segment() -> None:
    segment = _libc.shmget(0, mmap.PAGESIZE, 0o1600)
    if segment < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    _libc.shmctl(segment, 0, None)


def raise_its_own_limits() -> None:
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    more = hard + 1 if hard > 0 else hard
    resource.setrlimit(resource.RLIMIT_DATA, (more, more))


def debug_the_node() -> None:
    attach, detach = 16, 17
    if _libc.ptrace(attach, os.getppid(), 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(os.getppid(), 0)
    _libc.ptrace(detach, os.getppid(), 0, 0)


ATTEMPTS = {
    name: value
    for name, value in sorted(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and name != "try_all"
}


def try_all() -> dict[str, float]:
    """Return 1 for each attempt that worked and 0 for each that was refused."""
    outcome = {}
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except (OSError, KeyError, ValueError):
            outcome[name] = 0.0
        else:
            outcome[name] = 1.0
    return outcome


if __name__ == "__main__":
    import json

    sys.stdout.write(json.dumps(try_all()))
