"""Files that are whole or not there, with and without the kernel's help."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fednet.errors import SettingsError
from fednet.privacy.sealing import fresh_file as fresh_file_module
from fednet.privacy.sealing.fresh_file import PARTIAL_SUFFIX, fresh_file

KILLED = """
import os, pathlib, signal, sys
from fednet.privacy.sealing.fresh_file import fresh_file
with fresh_file(pathlib.Path(sys.argv[1])) as file:
    file.write(bytes(1 << 20))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["unnamed", "hidden", "no proc"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    if request.param == "hidden":
        real = os.open

        def without_unnamed(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "not supported")
            return real(path, flags, *rest, **named)

        monkeypatch.setattr(os, "open", without_unnamed)
    elif request.param == "no proc":
        monkeypatch.setattr(fresh_file_module, "_HANDLES", tmp_path / "missing")
    else:
        try:
            os.close(os.open(tmp_path, os.O_WRONLY | os.O_TMPFILE))
        except OSError:
            pytest.skip("this file system has no unnamed files")
    return str(request.param)


def test_file_appears_at_the_end(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    with fresh_file(target) as file:
        file.write(b"half")
        file.flush()
        names = [path.name for path in tmp_path.iterdir()]
        if kind == "unnamed":
            assert names == []
        else:
            assert [name.endswith(PARTIAL_SUFFIX) for name in names] == [True]
        file.write(b" and half")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert target.read_bytes() == b"half and half"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("kind", ["unnamed"], indirect=True)
def test_new_file_has_no_other_name_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two names a kill would leave it under the first."""
    monkeypatch.delattr(Path, "replace")
    with fresh_file(tmp_path / "target") as file:
        file.write(b"text")
    assert (tmp_path / "target").read_bytes() == b"text"


@pytest.mark.usefixtures("kind")
def test_file_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"a longer text that was there")
    with fresh_file(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"a longer text that was there"
    assert target.read_bytes() == b"new"


@pytest.mark.usefixtures("kind")
def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with fresh_file(tmp_path / "target") as file:
            file.write(bytes(1 << 20))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("kind")
def test_folder_in_the_way_is_said_plainly(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "child").mkdir(parents=True)
    with pytest.raises(SettingsError) as caught, fresh_file(target):
        pass
    assert caught.value.subject == "target"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("kind")
def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"earlier")

    def fail() -> None:
        with fresh_file(target) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"earlier"


def test_killed_process_leaves_nothing(tmp_path: Path) -> None:
    try:
        os.close(os.open(tmp_path, os.O_WRONLY | os.O_TMPFILE))
    except OSError:
        pytest.skip("this file system has no unnamed files")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "target")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SettingsError) as caught, fresh_file(tmp_path / "target") as file:
        file.write(b"text")
    assert "No space left" in caught.value.message
    assert list(tmp_path.iterdir()) == []
