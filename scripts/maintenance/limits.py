"""Keep the code small: lengths of files and functions, names at the root, house words.

Reads the source as text and syntax trees; imports nothing of it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.maintenance.set_up import ROOT

PYTHON_LINES = 400
CONTRACT_LINES = 250
FUNCTION_LINES = 80
ROOT_NAMES = 20
PYTHON_FOLDERS = ("fednet", "scripts", "benchmarks", "tests")


def main() -> int:
    """Print every excess; return 1 if there is one."""
    found = list(excesses())
    for line in found:
        print(line)
    return 1 if found else 0


def excesses() -> Iterator[str]:
    """Describe each file or function that is too long, and a root with too many names."""
    for path in (path for folder in PYTHON_FOLDERS for path in ours(folder, "*.py")):
        source = path.read_text("utf-8")
        yield from too_long(path, source, PYTHON_LINES)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield f"{where}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"
    for path in ours("contracts", "*.sol"):
        yield from too_long(path, path.read_text("utf-8"), CONTRACT_LINES)
    names = root_names((ROOT / "fednet" / "__init__.py").read_text("utf-8"))
    if len(names) > ROOT_NAMES:
        yield f"fednet/__init__.py: {len(names)} public names, at most {ROOT_NAMES}"


def ours(folder: str, pattern: str) -> Iterator[Path]:
    """List the files of a folder, those of installed npm packages left out."""
    for path in sorted((ROOT / folder).rglob(pattern)):
        if "node_modules" not in path.parts:
            yield path


def too_long(path: Path, source: str, most: int) -> Iterator[str]:
    """Describe a file with more than the most lines."""
    lines = len(source.splitlines())
    if lines > most:
        yield f"{path.relative_to(ROOT)}: {lines} lines, at most {most}"


def root_names(source: str) -> set[str]:
    """Collect the public names that a module binds at its top."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return {name for name in names if not name.startswith("_") and name != "annotations"}


def links_of(text: str) -> list[str]:
    """List the files that a document links to."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [target for target in targets if "://" not in target]


if __name__ == "__main__":
    sys.exit(main())
