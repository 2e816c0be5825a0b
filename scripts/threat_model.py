"""Tabulate the lies of `tests/attacks/`, from the declarations that the tests assert by.

Each test file there names one lie, says who could tell it and what is said of
it; a declared answer that its tests do not meet fails the file.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "tests/attacks"
_PARTS = {
    "every member that pinned it": "its site, and every member that pinned it",
    "which proposed it": "the site that proposed it, and every member that pinned it",
    "which submitted it": "the site that submitted it",
    "which handed it in": "the site that handed the batch in",
    "to explain it": "the sites named, to explain it",
    "operator, to explain it": "the chain's operator, to explain it",
}
"""What the findings say in full where a declaration has the part without a number."""
_ROW = "| {title} | {liar} | {answers} | {accused} | [{file}](../{folder}/{file}) |"


def lies_by_file() -> dict[str, object]:
    """Read every declaration, by the file's name."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    found = {}
    for path in sorted((ROOT / FOLDER).glob("test_*.py")):
        module = import_module(f"tests.attacks.{path.stem}")
        if (lie := getattr(module, "LIE", None)) is not None:
            found[path.name] = lie
    return found


def threat_model() -> str:
    """Tabulate the lies, sorted by who could tell them."""
    from tests.attacks.lie import LeftOut, Liar, Lie

    lies = [(file, lie) for file, lie in lies_by_file().items() if isinstance(lie, Lie)]
    lies.sort(key=lambda each: (list(Liar).index(each[1].liar), each[1].title))
    rows = []
    for file, lie in lies:
        accused = lie.accused
        if lie.duty:
            accused += f"; duty: {_PARTS.get(lie.duty, lie.duty)}"
        if any(isinstance(answer, LeftOut) for answer in lie.answers):
            accused += "; the update earns nothing"
        rows.append(
            _ROW.format(
                title=lie.title,
                liar=lie.liar.value,
                answers="<br>".join(str(answer) for answer in lie.answers),
                accused=accused,
                file=file,
                folder=FOLDER,
            )
        )
    head = "| Lie | Who could tell it | What is said of it | Who is accused | Test |"
    return "\n".join([f"{len(rows)} lies.", "", head, "|---|---|---|---|---|", *rows])
