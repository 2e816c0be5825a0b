from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from fednet.cli import main
from fednet.cli.later import LaterGroup


def modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_root_knows_none_of_what_its_commands_need() -> None:
    found = modules_after("import fednet.cli")
    assert not {"torch", "numpy", "web3", "eth_account", "fednet.node", "fednet.audit"} & found


def test_a_rehearsal_leaves_torch_to_the_task() -> None:
    assert "torch" not in modules_after("import fednet.cli.rehearsing")


def test_commands_that_come_later_stand_among_the_others() -> None:
    group = LaterGroup("g", later={"doctor": "doctor"})
    group.add_command(click.Command("access"))
    context = click.Context(group)
    assert group.list_commands(context) == ["access", "doctor"]
    assert group.get_command(context, "doctor") is main.get_command(context, "doctor")
    assert group.get_command(context, "nothing") is None


@pytest.mark.parametrize(("typed", "meant"), [("simulte", "simulate"), ("ledger cratee", "crate")])
def test_a_typing_error_is_told_what_it_is_close_to(typed: str, meant: str) -> None:
    result = CliRunner().invoke(main, typed.split(), prog_name="fednet")
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert f"'{meant}'" in result.stderr
