"""A group of commands whose modules are imported when they are asked for.

Each command knows libraries of its own; `fednet run status` need not wait for
those of all the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LaterGroup(click.Group):
    """Find some commands in modules of this package.

    Args:
        later: Module of each command, by the command's name, which is also its name there.
        rest: What `click.Group` takes.
    """

    def __init__(self, *rest: Any, later: Mapping[str, str] | None = None, **named: Any) -> None:  # noqa: ANN401 - click's own signature
        super().__init__(*rest, **named)
        self._later = dict(later or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, sorted."""
        return sorted({*super().list_commands(ctx), *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; its module is imported now."""
        if cmd_name not in self._later:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"{__package__}.{self._later[cmd_name]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find what was typed; what it is close to is said of the later ones, too."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as exc:
            raise click.exceptions.NoSuchCommand(
                exc.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None
