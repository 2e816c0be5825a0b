"""A node is killed while its task works: nothing of the task stays behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

_NODE = """
import sys
from pathlib import Path
from fednet.learning import Trainer

trainer = Trainer(sys.argv[1], Path(sys.argv[2]), folder=Path(sys.argv[3]))
trainer.start()
print(trainer._visit._sandbox._process.pid, flush=True)
trainer.inspect()
"""


def test_hostile_task_dies_with_a_killed_node(source: Path, home: Path, tmp_path: Path) -> None:
    task = f"{source / 'tasks.py'}:SleepsWithTheLock"
    with subprocess.Popen(
        [sys.executable, "-c", _NODE, task, str(home / "data" / "mine.csv"), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        assert node.stdout is not None
        visitor = Path("/proc", node.stdout.readline().strip())
        assert visitor.exists()
        node.kill()
    deadline = time.monotonic() + 30
    while _is_alive(visitor) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(visitor)


def _is_alive(process: Path) -> bool:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in ("Z", "X")
