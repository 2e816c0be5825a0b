"""The notebook and the examples of docs/python.md do what they say."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import nbformat

from fednet.learning.partition import hospitals
from scripts.maintenance import notebook

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")


def _kinds(made: Any) -> list[list[str]]:
    """What each cell puts out: texts, tables, pictures."""
    return [
        sorted({kind for output in cell.get("outputs", []) for kind in output.get("data", {"": 0})})
        for cell in made.cells
    ]


def test_the_notebook_runs_and_is_the_one_in_the_documents(tmp_path: Path) -> None:
    kept = nbformat.read(notebook.TOUR, as_version=4)
    nbformat.validate(kept)
    plain = notebook.notebook()
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in plain.cells
    ], "run python -m scripts.maintenance.notebook and commit the result"
    # A cell that fails raises; the accuracy in plain PyTorch is compared in the notebook itself.
    made = notebook.executed(tmp_path)
    assert _kinds(kept) == _kinds(made)
    said = "".join(
        output.get("text", "") for cell in made.cells for output in cell.get("outputs", [])
    )
    assert "verified: True   accused: nobody" in said


def test_the_examples_of_the_python_page_run_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = _BLOCK.findall((ROOT / "docs" / "python.md").read_text("utf-8"))
    assert len(blocks) >= 6
    hospitals(3).write(tmp_path / "records")
    space: dict[str, Any] = {}
    with contextlib.chdir(tmp_path):
        for number, block in enumerate(blocks):
            if named := _FILE.match(block):
                (tmp_path / named.group(1)).write_text(block)
            else:
                exec(compile(block, f"docs/python.md, block {number}", "exec"), space)
    assert (tmp_path / "report.html").exists()
