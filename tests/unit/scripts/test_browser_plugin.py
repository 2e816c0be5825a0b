from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_TEST = """
import pytest

@pytest.mark.browser
def test_with():
    pass

def test_without():
    pass
"""


def run(
    folder: Path, ci: str, path: str, reason: str = "", more: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(_TEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    environment = {**os.environ, "CI": ci, "PATH": path, "PYTHONPATH": str(ROOT)}
    environment |= {"FEDNET_NO_BROWSER": reason} if reason else {}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "scripts.maintenance.browser", str(folder), *more],
        env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_without_a_browser_they_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "", "")
    assert done.returncode == 0
    assert "1 browser tests left out" in done.stdout
    assert "1 passed, 1 deselected" in done.stdout


def test_under_continuous_integration_a_missing_browser_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "true", "")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "need Chromium" in done.stdout + done.stderr


def test_a_browser_that_could_not_be_installed_is_said_with_the_reason(tmp_path: Path) -> None:
    done = run(tmp_path, "true", "", "apt-get could not install it")
    assert done.returncode == 0
    assert "1 browser tests left out: no Chromium: apt-get could not install it" in done.stdout


@pytest.mark.parametrize(("reason", "code"), [("", pytest.ExitCode.USAGE_ERROR), ("no apt-get", 0)])
def test_processes_that_share_the_tests_do_the_same(tmp_path: Path, reason: str, code: int) -> None:
    done = run(tmp_path, "true", "", reason, ("-n", "1"))
    assert done.returncode == code
    said = "left out: no Chromium: no apt-get" if reason else "need Chromium"
    assert said in done.stdout + done.stderr


def test_with_a_browser_they_run(tmp_path: Path) -> None:
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    done = run(tmp_path, "true", str(browser.parent))
    assert done.returncode == 0
    assert "2 passed" in done.stdout
