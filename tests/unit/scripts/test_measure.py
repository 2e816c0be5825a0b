"""`scripts/bench`: one benchmark that fails, lies or hangs does not spoil the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.maintenance import measure
from scripts.maintenance.set_up import ROOT

GOOD = 'MINUTES = 2, 3\nprint(\'{"benchmark": "x", "figure": "speed", "value": 7, "unit": "s"}\')'
SLOW = """MINUTES = 1, 1
import json
print(json.dumps({"figure": "a ratio", "value": 4, "unit": "times", "limit": 5, "at_least": True}))
raise SystemExit(1)
"""
CRASHES = "MINUTES = 1, 1\nraise RuntimeError"
HANGS = """MINUTES = 1, 1
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep benchmarks and a page of one's own."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()  # Opacus installs a package of this name
    page = tmp_path / "benchmarks.md"
    page.write_text("# Old\n\n## crashes\n\nas it was\n\n## good\n\nas it was\n")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "BENCHMARKS", tmp_path / "benchmarks")
    monkeypatch.setattr(measure, "PAGE", page)
    return tmp_path


def write(folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        text = f'"""Measure {name}.\n\nMore.\n"""\n{source}\n'
        (folder / "benchmarks" / f"{name}.py").write_text(text)


def test_the_others_run_and_the_page_keeps_what_failed(folder: Path, capfd: Any) -> None:
    write(folder, good=GOOD, slow=SLOW, crashes=CRASHES, _helper="")
    assert measure.main([]) == 1
    said = capfd.readouterr().err
    assert said.index("[1/3] crashes") < said.index("[2/3] slow") < said.index("[3/3] good")
    assert "crashes: failed with exit code 1" in said
    assert "slow: limit not kept: a ratio" in said
    assert "1 of 3 benchmarks are as promised" in said
    page = (folder / "benchmarks.md").read_text()
    assert page.startswith(measure.HEADER)
    assert "## crashes\n\nas it was\n\n## good\n\nMeasure good.\n" in page
    assert "| speed | 7 s |  |  |" in page
    assert "| a ratio | **4 times** | at least 5 times | 0.80 |" in page


def test_those_that_are_named_run_alone(folder: Path) -> None:
    write(folder, good=GOOD, crashes=CRASHES)
    assert measure.main(["good"]) == 0
    with pytest.raises(SystemExit):
        measure.main(["helper"])


def test_one_that_hangs_is_ended_with_what_it_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(measure, "PATIENCE", 0.0)
    monkeypatch.setattr(measure, "LEAST_PATIENCE_MINUTES", 3 / 60)
    write(folder, hangs=HANGS)
    assert measure.main([]) == 1
    assert "hangs: not done after" in capfd.readouterr().err
    child = Path("/proc", (folder / "child").read_text(), "stat")
    assert not child.exists() or child.read_text().split()[2] in "ZX"


def test_help_tells_how_long_every_benchmark_takes() -> None:
    command = [sys.executable, "-m", "scripts.maintenance.measure", "--help"]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in (ROOT / "benchmarks").glob("[!_]*.py"):
        assert f"\n  {path.stem} " in text, f"{path.name} has no MINUTES"
