"""Every file of `tests/attacks/` declares its lie and tells the same story without it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.threat_model import FOLDER, ROOT, lies_by_file, threat_model

CONTROL = "test_honest_runs_are_never_accused.py"
INFERENCE = "test_update_betrays_its_records.py"
"""No lie about a run: what a curious member may learn, with and without protection."""
FILES = sorted(path for path in (ROOT / FOLDER).glob("test_*.py") if path.name != INFERENCE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_has_an_honest_control(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert any(name.startswith("test_") and "honest" in name for name in tests)


def test_file_declares_its_lie() -> None:
    assert {path.name for path in FILES} - lies_by_file().keys() == {CONTROL}


def test_lies_are_told_apart_by_their_titles() -> None:
    table = threat_model().splitlines()
    titles = [row.split(" | ")[0] for row in table if row.startswith("| ")][1:]
    assert len(titles) == len(set(titles)) == len(lies_by_file()) >= 40
