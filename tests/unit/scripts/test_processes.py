"""The demo leaves no process behind, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A daemon that forgets its parents, and a child that does not listen to SIGTERM.
PLAY = """
import os, signal, subprocess, sys, time
from pathlib import Path
from scripts.consortium import processes

os.environ["FEDNET_HOME"] = str(Path.cwd() / "homes" / "two")

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            said = "import os, time; open('daemon', 'w').write(str(os.getpid())); time.sleep(600)"
            os.execv(sys.executable, [sys.executable, "-c", said])
        os._exit(0)
    os.wait()

with processes.nothing_left_behind(Path.cwd() / 'homes'):
    daemon()
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN);"
    deaf += "open('deaf', 'w'); time.sleep(600)"
    environment = dict(os.environ) | {'FEDNET_HOME': str(Path.cwd() / 'homes' / 'one')}
    child = processes.start([sys.executable, "-c", deaf], environment, Path("log"))
    while not (Path("deaf").exists() and Path("daemon").exists() and Path("daemon").read_text()):
        time.sleep(0.01)
    processes._PATIENCE_SECONDS = 0.5
    Path("ready").write_text(str(child.pid))
    END
"""
ENDS = {
    "done": ("pass", None),
    "crash": ("raise RuntimeError('on purpose')", None),
    "terminated": ("time.sleep(600)", signal.SIGTERM),
    "interrupted": ("time.sleep(600)", signal.SIGINT),
    "killed": ("time.sleep(600)", signal.SIGKILL),
}


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not (path.exists() and path.read_text()):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize("how", ENDS)
def test_nothing_left_behind_stops_daemons_and_the_deaf(how: str, tmp_path: Path) -> None:
    statement, number = ENDS[how]
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", PLAY.replace("END", statement)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        stderr=subprocess.DEVNULL,
    )
    _wait_for(tmp_path / "ready", process)
    started = [int((tmp_path / name).read_text()) for name in ("ready", "daemon")]
    if number is not None:
        assert all(_is_running(pid) for pid in started)
        process.send_signal(number)
    process.wait(60)
    deadline = time.monotonic() + 60
    while how == "killed" and any(_is_running(pid) for pid in started):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not any(_is_running(pid) for pid in started)
