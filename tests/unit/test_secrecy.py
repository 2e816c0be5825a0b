"""The search for secrets finds each that is planted, and none where it belongs."""

from __future__ import annotations

import base64
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.secrecy import Leak, Secret, leaks, processes, rows_of, secret_in_file

KEY = Secret("a key", bytes(range(40, 72)))
WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda value: value,
    "in small hex": lambda value: value.hex().encode(),
    "in capital hex": lambda value: b"0x" + value.hex().upper().encode(),
    "in base64": lambda value: base64.b64encode(value + b"and more"),
    "in base64 for addresses": base64.urlsafe_b64encode,
    "in base64 behind one byte": lambda value: base64.b64encode(b":" + value + b"and more"),
    "in base64 behind two bytes": lambda value: base64.urlsafe_b64encode(b"--" + value),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_planted_secret_is_found_in_a_file_and_in_words(tmp_path: Path, how: str) -> None:
    planted = b"before " + WRITTEN[how](KEY.value) + b" behind"
    assert leaks([KEY], {"stdout": planted}, []) == [Leak("a key", "stdout")]
    path = tmp_path / "deep" / "node.log"
    path.parent.mkdir()
    path.write_bytes(planted)
    assert leaks([KEY], {}, [tmp_path]) == [Leak("a key", str(path))]
    path.write_bytes(planted.replace(WRITTEN[how](KEY.value)[5:9], b"...."))
    assert leaks([KEY], {"stdout": path.read_bytes()}, [tmp_path]) == []


@pytest.mark.parametrize("at", [0, 1, 4_194_296, 4_194_301, 4_194_303, 4_194_304, 8_999_968])
def test_a_planted_secret_is_found_wherever_it_begins(at: int) -> None:
    words = bytearray(9_000_000)
    words[at : at + len(KEY.value)] = KEY.value
    assert leaks([KEY], {"traffic": bytes(words)}, []) == [Leak("a key", "traffic")]


def test_a_planted_secret_is_found_in_a_database(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE words (word TEXT, bytes BLOB)")
        db.execute("INSERT INTO words VALUES (?, ?)", ("nothing", b"nothing"))
        db.commit()
        assert leaks([KEY], {}, [tmp_path]) == []
        db.execute("INSERT INTO words VALUES (?, ?)", ("", KEY.value))
        db.commit()
    assert leaks([KEY], {}, [tmp_path]) == [Leak("a key", str(path))]


def test_a_planted_row_is_found_as_text_and_as_numbers(tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    table.write_text("a,b,c,label\n1.25,2.5,3.75,1\n4.5,5.25,6.125,0\n7.5,8.25,9.75,1\n")
    rows = list(rows_of("north", table, 3))
    (tmp_path / "kept").mkdir()
    for kind in (np.float32, np.float64):
        (tmp_path / "kept" / str(kind.__name__)).write_bytes(
            b"head" + np.array([4.5, 5.25, 6.125], kind).tobytes()
        )
    (tmp_path / "kept" / "log").write_text("trained on 7.5,8.25,9.75,1")
    assert {each.secret for each in leaks(rows, {}, [tmp_path / "kept"])} == {
        "north, row 1 as float32", "north, row 1 as float64", "north, row 2",
    }  # fmt: skip


def test_a_secret_may_stand_where_it_belongs_and_nowhere_else(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    secret = secret_in_file("password", password)
    assert leaks([secret], {}, [tmp_path]) == []
    copy = tmp_path / "copy"
    copy.write_text("correct horse")
    assert leaks([secret], {}, [tmp_path]) == [Leak("password", str(copy))]


def test_arguments_and_environment_of_processes_are_read() -> None:
    word = f"secret-{os.getpid()}"
    environment = {**os.environ, "PLANTED": f"{word}-in-environment"}
    command = [sys.executable, "-c", "import time; time.sleep(30)", f"{word}-in-argument"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            until = time.monotonic() + 20
            while b"-in-argument" not in (seen := processes()) and time.monotonic() < until:
                time.sleep(0.02)
        finally:
            process.kill()
    assert f"{word}-in-argument".encode() in seen
    assert f"{word}-in-environment".encode() in seen


def test_what_is_too_short_to_be_looked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Secret("pin", b"1234")
