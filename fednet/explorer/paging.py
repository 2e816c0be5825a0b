"""Read what a query asks for, within bounds; a page is never longer than fifty rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request

from fednet.domain.identity import Digest
from fednet.errors import SettingsError

ROWS = 50
MAX_QUERY_LETTERS = 200
_MOST = (1 << 63) - 1
"""Largest integer that SQLite compares."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and the addresses of its neighbours."""

    number: int
    """Counted from 1."""
    total: int
    """Rows in all."""
    path: str
    query: tuple[tuple[str, str], ...] = ()
    """What else the address asks for."""
    rows: int = ROWS

    @property
    def offset(self) -> int:
        """Return how many rows stand before this page."""
        return (self.number - 1) * self.rows

    @property
    def count(self) -> int:
        """Return how many pages there are; at least one."""
        return max(1, -(-self.total // self.rows))

    @property
    def first(self) -> int:
        """Return the number of the page's first row, counted from 1."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """Return the number of the page's last row."""
        return min(self.offset + self.rows, self.total)

    def address(self, number: int) -> str:
        """Return the address of another page of the list."""
        return f"{self.path}?{urlencode((*self.query, ('page', str(number))))}"


def page_of(request: Request, total: int, *keep: str, rows: int = ROWS) -> Page:
    """Find the page that a request asks for; beyond the last one is the last one.

    Args:
        request: What was asked.
        total: Rows of the whole list.
        keep: Other fields of the query that the neighbours shall ask for too.
        rows: Rows of a page.
    """
    asked = integer(request, "page", 1) or 1
    count = max(1, -(-total // rows))
    query = tuple((name, request.query_params[name][:MAX_QUERY_LETTERS])
                  for name in keep if request.query_params.get(name))  # fmt: skip
    return Page(min(max(asked, 1), count), total, request.url.path, query, rows)


def integer(request: Request, name: str, default: int | None = None) -> int | None:
    """Read a field of the query that holds a whole number, if it is there.

    Raises:
        SettingsError: It holds something else.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _MOST:
        raise SettingsError("is no number", subject=name, actual=repr(text[:40]))
    return int(text)


def digest(request: Request, name: str) -> Digest | None:
    """Read a field of the query that holds 32 bytes in hexadecimal, if it is there.

    Raises:
        VerificationError: It holds something else.
    """
    text = request.query_params.get(name, "").strip()[:MAX_QUERY_LETTERS]
    return Digest(text) if text else None


def moment(request: Request, name: str) -> int | None:
    """Read a field of the query that holds a day or a time of UTC, in seconds since 1970.

    Raises:
        SettingsError: It holds something else.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text[:40])
    except ValueError as exc:
        raise SettingsError(
            "is no time", subject=name, actual=repr(text[:40]), expected="such as 2026-11-21"
        ) from exc
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
