"""What every way of reading a table shares: columns found by name, and refusals.

A refusal names the column and counts rows; it never quotes a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fednet.errors import DataError

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Hold what was read, before anything of it is judged."""

    values: Numbers
    """Rows by numbers: one for each name."""
    labels: Numbers
    """One for each row."""
    names: tuple[str, ...]
    """The column that each number of a row stands in, for refusals."""


def positions(
    header: Sequence[str], features: Sequence[str], label: str, subject: str
) -> list[int]:
    """Find the wanted columns in a header.

    Raises:
        DataError: One is missing, or there more than once.
    """
    wanted = [*features, label]
    missing = [name for name in wanted if name not in header]
    doubled = [name for name in wanted if header.count(name) > 1]
    if missing or doubled:
        names = ", ".join((missing or doubled)[:5])
        raise DataError(
            "wrong columns",
            subject=subject,
            expected=f"{len(wanted)} columns, once each",
            actual=f"{'missing' if missing else 'more than once'}: {names}",
            hint="the first row must hold the column names the task asks for",
        )
    return [header.index(name) for name in wanted]


def kind(exc: BaseException) -> str:
    """Name a failure without its text, which may quote private values."""
    return type(exc).__name__
