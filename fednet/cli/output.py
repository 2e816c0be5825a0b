"""How results, progress and questions reach a person or a program.

Results go to stdout: a table for a person, JSON for a program. Progress and
questions go to stderr, so that a pipe sees results only. Decides nothing.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from pydantic import BaseModel
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 160
_Row = TypeVar("_Row")


def results() -> Console:
    """Return a console for results, on stdout."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def progress_console() -> Console:
    """Return a console for progress, on stderr."""
    return Console(file=sys.stderr, width=None if sys.stderr.isatty() else _PLAIN_WIDTH)


def say(text: str) -> None:
    """Tell a person how far things are, on stderr."""
    click.echo(text, err=True)


def emit_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=True))


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON to a file."""
    path.write_text(json.dumps(plain(value), indent=2, ensure_ascii=True) + "\n", "utf-8")


def emit_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table on stdout, or one line that says there are none."""
    if not rows:
        click.echo(f"no {title}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text(cell)) for cell in row))
    emit(table)


def emit_list(
    found: Sequence[_Row],
    as_json: bool,
    title: str,
    columns: Sequence[str],
    cells: Callable[[_Row], Sequence[object]],
    inner: str = "",
) -> None:
    """Print a listing on stdout: JSON for a program, a table for a person.

    Args:
        found: What is listed.
        as_json: Whether a program reads it.
        title: Names the listing where there is nothing in it.
        columns: Headings of the table.
        cells: Gives one row's cells, in the order of the columns.
        inner: Field whose fields JSON spreads out among the others; see ``flat``.
    """
    if as_json:
        emit_json([flat(entry, inner) for entry in found] if inner else list(found))
    else:
        emit_table(title, columns, [cells(entry) for entry in found])


def emit_values(values: Mapping[str, object], as_json: bool) -> None:
    """Print named values on stdout: JSON for a program, one a line for a person."""
    if as_json:
        emit_json(values)
    else:
        emit_fields(values)


def emit(table: Table) -> None:
    """Print a table on stdout."""
    # Rich fills the last column with blanks, which a pipe does not want.
    console = results()
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def emit_fields(fields: Mapping[str, object]) -> None:
    """Print named values, one a line, on stdout."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        click.echo(f"{name.ljust(width)}  {text(value)}")


def plain(value: object) -> object:
    """Turn domain values into what JSON can say."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Flag):
        return flag_names(value)
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def flat(value: object, inner: str) -> dict[str, object]:
    """Turn a value into JSON, one of its fields spread out among the others."""
    outer = plain(value)
    spread = outer.pop(inner) if isinstance(outer, dict) else None
    if not isinstance(outer, dict) or not isinstance(spread, dict):
        raise TypeError(f"{inner} is not a field of {type(value).__name__}")
    return {**spread, **outer}


def text(value: object) -> str:
    """Write one value for a person; what a stranger put on the chain cannot steer the terminal."""
    if isinstance(value, enum.Flag):
        return "+".join(flag_names(value)) or "none"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return "yes" if value else "no"
    written = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in written)


def flag_names(value: enum.Flag) -> list[str]:
    """Name the flags that are set."""
    return [member.name.lower() for member in type(value) if member in value and member.name]


def short(digest: bytes) -> str:
    """Write the first digits of a digest, enough to tell two apart."""
    return digest.hex()[:12]


def when(seconds: int) -> str:
    """Write a time of the chain; nothing for zero."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@contextmanager
def working(step: str) -> Iterator[None]:
    """Show that a long step is under way: a bar on a terminal, one line elsewhere."""
    console = progress_console()
    if not console.is_terminal:
        say(f"{step} ...")
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(step, total=None)
        yield
    say(f"{step}: done")


@contextmanager
def counting(step: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many are done: a bar on a terminal, lines elsewhere."""
    console = progress_console()
    if not console.is_terminal:
        yield lambda done, total: say(f"{step}: {done} of {total}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(step, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
