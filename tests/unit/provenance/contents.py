"""What an index holds, table by table, for comparison."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from fednet.provenance.schema import TABLES


def content_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        tables = (*TABLES, "blocks", "meta")
        return {name: db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in tables}
