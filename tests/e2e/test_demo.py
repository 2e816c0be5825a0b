"""The demo, as a stranger runs it: it tells the whole story, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from fednet.audit.checks import CHECKS
from scripts.consortium.processes import at_home_in
from scripts.consortium.story import HOSPITALS, ROUNDS, RUN
from tests.e2e.secrets_of import roots_of, search_homes
from tests.secrecy import Leak

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, home: Path) -> subprocess.Popen[str]:
    """Start the demo with a home of its own, to see what it writes there."""
    home.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.consortium", "--folder", str(folder)],
        cwd=ROOT,
        env=os.environ | {"HOME": str(home), "TMPDIR": str(folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_demo_tells_the_whole_story(tmp_path: Path) -> None:
    folder, home = tmp_path / "a demo", tmp_path / "home"
    demo = start(folder, home)
    told, said = demo.communicate(timeout=280)
    assert demo.returncode == 0, said
    for number in range(1, ROUNDS + 1):
        assert f"round {number} verified" in told
    assert "replayed in one process, unmasked, end in the same bytes" in told
    assert "asked 16 times and let out 16 updates, masked" in told
    assert "4 sums were unmasked, and no update" in told
    assert f"{len(CHECKS)} checks, nothing found" in told
    assert "check 9: update of site" in told
    assert "the bytes that are served are not the committed ones" in told
    assert "granted 4000, claimed 4000" in told
    assert {path.suffix for path in folder.rglob("report*")} >= {".html", ".pdf"}
    assert "explorer --open" in told
    assert at_home_in(folder) == set()
    assert list(home.iterdir()) == []
    assert secrets_told(folder, f"{told}{said}".encode()) == []


def secrets_told(folder: Path, told: bytes) -> list[Leak]:
    """Look for keys, the roots of masks and rows of data in all that a demo said and kept."""
    homes = [folder / name.lower() for name in ("office", *HOSPITALS)]
    roots = [root for home in homes[1:] for root in roots_of(home, RUN)]
    assert len(roots) == ROUNDS * len(HOSPITALS)
    data = sorted((folder / "data").glob("site-*.csv"))
    assert len(data) == len(HOSPITALS)
    return search_homes(homes, data, {"what it told": told}, roots)


def test_demo_stopped_in_the_middle_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = start(folder, tmp_path / "home")
    assert demo.stdout is not None
    while "hub" not in (line := demo.stdout.readline()):
        assert line or demo.poll() is None
    running = at_home_in(folder)
    second = start(folder, tmp_path / "second home")
    assert "another demo is at work" in second.communicate(timeout=60)[1]
    assert second.returncode == 1
    assert demo.poll() is None
    demo.send_signal(signal.SIGTERM)
    _, said = demo.communicate(timeout=60)
    assert len(running) >= 3, "chain, hub and its store were found"
    assert demo.returncode == 130, said
    assert "interrupted by SIGTERM" in said
    assert at_home_in(folder) == set()
