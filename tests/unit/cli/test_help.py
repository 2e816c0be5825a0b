from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from fednet.cli import main


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from walk(found, (*path, name))


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command | None = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    return command


COMMANDS = list(walk(main))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "fednet")
def test_help_fits_80_columns_and_says_something(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], prog_name="fednet")
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    if len(path) == 1:
        assert "Example" in result.stdout


def test_every_reading_command_has_json() -> None:
    readers = {"list", "status", "show", "check", "runs", "rounds", "updates", "sites", "access",
               "credits", "audit", "doctor", "watch"}  # fmt: skip
    for path in COMMANDS:
        command = command_at(path)
        if not isinstance(command, click.Group) and path[-1] in readers:
            assert any("--json" in option.opts for option in command.params), path


def test_no_option_takes_a_password() -> None:
    for path in COMMANDS:
        command = command_at(path)
        for option in command.params:
            names = set(option.opts)
            assert not names & {"--password", "--key", "--code", "--private-key"}, path
