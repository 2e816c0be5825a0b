"""The set-up: what it pins, when it works, when it does nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.maintenance import set_up

PIN = re.compile(r"[a-z0-9][a-z0-9-]*==[A-Za-z0-9.]+( ; python_version < \"3\.\d+\")?")


def test_pins_are_exact_and_sorted() -> None:
    pins = set_up.pins()
    assert all(PIN.fullmatch(pin) for pin in pins)
    assert pins == sorted(pins, key=lambda pin: pin.partition("==")[0])


def test_pins_satisfy_everything_the_project_names() -> None:
    project = tomllib.loads((set_up.ROOT / "pyproject.toml").read_text("utf-8"))
    named = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *project["dependency-groups"]["dev"],
        *project["project"]["optional-dependencies"]["speed"],
    ]
    pinned = dict(pin.partition(" ;")[0].split("==") for pin in set_up.pins())
    for requirement in map(Requirement, named):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_lock_file_names_no_registry() -> None:
    text = (set_up.ENGINES / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)


def test_ready_only_when_the_stamp_is_of_this_very_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp, python = tmp_path / "stamp", tmp_path / "python"
    monkeypatch.setattr(set_up, "STAMP", stamp)
    monkeypatch.setattr(set_up, "PYTHON", python)
    assert not set_up.is_ready("now")
    stamp.write_text("now")
    assert not set_up.is_ready("now")
    python.touch()
    assert set_up.is_ready("now")
    assert not set_up.is_ready("later")


def test_fingerprint_follows_the_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set_up.fingerprint()
    changed = tmp_path / "constraints.txt"
    changed.write_text(set_up.PINS.read_text("utf-8") + "one-more==1.0\n")
    monkeypatch.setattr(set_up, "PINS", changed)
    assert set_up.fingerprint() != before


def test_failing_step_says_what_could_not_be_installed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no route to the index')"]
    with pytest.raises(set_up.SetUpError, match="could not install: packages"):
        set_up.step("packages", command)
    assert "no route to the index" in capfd.readouterr().err


def test_bare_machine_is_told_in_one_sentence_what_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "uname", "env"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    old = tools / "python3"
    old.write_text("#!/bin/sh\necho 'it is cpython 3.9.2' >&2\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [set_up.ROOT / "scripts" / "setup"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs CPython 3.11 or newer" in done.stderr
    assert "python3: it is cpython 3.9.2" in done.stderr


def test_other_machine_is_told_in_one_sentence(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    other = tools / "uname"
    other.write_text('#!/bin/sh\n[ "$1" = -s ] && echo Darwin || echo arm64\n')
    other.chmod(0o755)
    done = subprocess.run(
        [set_up.ROOT / "scripts" / "setup"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "this is Darwin on arm64" in done.stderr
