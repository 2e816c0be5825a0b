"""Filters of the listing commands: by run, site, dataset and time; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fednet.errors import SettingsError

if TYPE_CHECKING:
    from fednet.provenance.listings import Filters

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MAX_BLOCK_DIGITS = 9
"""A longer number of digits is a time in seconds."""


class _Time(click.ParamType[int]):
    """A time: ISO 8601, UTC unless it says otherwise, or seconds since 1970."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = seconds_of(str(value))
        if found is None:
            self.fail("expected a time like 2026-01-31, 2026-01-31T12:00 or seconds", param, ctx)
        return found


def options(*names: str) -> Callable[[_Command], _Command]:
    """Add ``--since``, ``--until`` and filters by number to a command."""

    def add(command: _Command) -> _Command:
        command = click.option("--until", type=_Time(), help="Only up to this time (UTC).")(command)
        command = click.option("--since", type=_Time(), help="Only from this time on (UTC).")(
            command
        )
        for name in reversed(names):
            command = click.option(f"--{name}", type=int, help=f"Only of this {name}.")(command)
        return command

    return add


def filters(given: Mapping[str, int | None]) -> Filters:
    """Keep the filters that were given."""
    kept: Any = {name: value for name, value in given.items() if value is not None}
    narrowed: Filters = kept
    return narrowed


def moment(text: str) -> dict[str, int]:
    """Read a block number or a time, by name.

    Raises:
        SettingsError: It is neither.
    """
    if text.isascii() and text.isdigit() and len(text) <= _MAX_BLOCK_DIGITS:
        return {"block": int(text)}
    found = seconds_of(text)
    if found is None:
        raise SettingsError(
            "neither a block nor a time",
            subject=text[:80],
            hint="give a block number, or a time like 2026-01-31T12:00",
        )
    return {"time": found}


def seconds_of(text: str) -> int | None:
    """Read a time as seconds since 1970; None if it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
