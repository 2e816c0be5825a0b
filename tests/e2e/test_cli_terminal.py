"""The command line on a real terminal: it asks for secrets unseen, and draws."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.cli_world import Person, consortium, environment

ENOUGH_SECONDS = 60


def converse(person: Person, *words: str, answers: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command on a terminal of its own, answering what it asks."""
    ours, theirs = os.openpty()
    shown, waiting = "", dict(answers or {})
    process = subprocess.Popen(
        person.command(*words), stdin=theirs, stdout=theirs, stderr=theirs, cwd=person.home,
        env=environment(**person.more) | {"TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    until = time.monotonic() + ENOUGH_SECONDS
    try:
        while time.monotonic() < until:
            try:
                block = os.read(ours, 4096)
            except OSError:
                break
            shown += block.decode("utf-8", "replace")
            for question in [question for question in waiting if question in shown]:
                os.write(ours, f"{waiting.pop(question)}\n".encode())
        return process.wait(timeout=ENOUGH_SECONDS), shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_password_is_asked_twice_and_not_shown(tmp_path: Path) -> None:
    person = Person(tmp_path / "home")
    del person.more["FEDNET_PASSWORD_FILE"]
    answers = {"password of the new keystore": "hidden", "Repeat for confirmation": "hidden"}
    status, shown = converse(person, "keys", "new", "me", answers=answers)
    assert status == 0, shown
    assert re.search(r"0x[0-9a-fA-F]{40}", shown)
    assert "hidden" not in shown
    assert (person.home / "keystores" / "me.json").exists()


@pytest.mark.parametrize(("answer", "status"), [("n", 130), ("y", 0)])
def test_run_is_aborted_after_a_yes_and_watched_as_a_table(
    tmp_path: Path, answer: str, status: int
) -> None:
    with consortium(tmp_path, inside=True) as operator:
        operator.types("plan", "new", "pilot", "--task", "breast-cancer")
        operator.types("run", "open", "pilot.toml")
        ended, shown = converse(operator, "run", "abort", "1", answers={"abort run 1?": answer})
        assert ended == status, shown
        phase = operator.reads("run", "status", "1")["state"]["phase"]
        assert phase == ("aborted" if answer == "y" else "gathering")
        if answer == "y":
            ended, shown = converse(operator, "run", "watch", "1")
            assert ended == 1
            assert "run 1: aborted" in shown
            assert "proposed by" in shown
