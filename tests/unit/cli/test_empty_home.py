"""Whatever is typed in an empty home: what is missing first is told first, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fednet import errors
from fednet.cli import main
from fednet.cli.remedies import REMEDIES, remedy_of
from tests.unit.cli.test_bad_input import fednet

GIVEN = {
    "access grant": ("--terms", "none"),
    "access request": ("--purpose", "none"),
    "audit": ("1",),
    "dataset erase": ("--yes", "--grounds", "withdrawn"),
    "dataset replace": ("--yes",),
    "report write": ("--html", "new.html"),
    "ledger crate": ("1", "new"),
    "ledger prov": ("1", "new.json"),
    "site revoke": ("--yes",),
    "run abort": ("--yes",),
    "run consent": ("--yes",),
    "site invite": ("new.json",),
    "simulate": ("--plan", "wrong.txt"),
    "model own": ("--output", "new"),
    "airlock reject": ("--reason", "an outlier"),
    "airlock return": ("--reason", "train again"),
}
"""What a command needs beside its arguments, or instead of them."""
INSTEAD = {"ledger crate", "ledger prov", "site invite"}
NEEDS_NO_DEPLOYMENT = {
    "chain start", "chain status", "chain stop", "checkpoint import", "checkpoint list",
    "checkpoint publish", "checkpoint show", "deploy", "doctor", "keys import", "keys list",
    "keys new", "node join", "plan check", "plan new", "plan show", "privacy plan",
    "report verify", "run open", "sealed key",
    "simulate", "store run", "store start", "store status", "store stop",
}  # fmt: skip
WORKS = {
    "checkpoint list", "homomorphic list", "homomorphic new-key", "keys list", "store stop",
}  # fmt: skip
WRONG = "wrong.txt"


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """List every command that is no group."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, *path, name)
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(main))


def words_of(name: str, command: click.Command) -> list[str]:
    """Type a command with everything that it asks for."""
    words = name.split()
    for each in command.params:
        if each.required and not (isinstance(each, click.Argument) and name in INSTEAD):
            kind = each.type.name
            value = (
                "1" if kind == "integer"
                else WRONG if kind in ("path", "file", "filename")
                else "2"
            )  # fmt: skip
            words += [value] if isinstance(each, click.Argument) else [each.opts[0], value]
    return [*words, *GIVEN.get(name, ())]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_to_do_next(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(WRONG).write_text("nothing that fednet wrote\n")
    result = fednet(tmp_path / "home", *words_of(name, COMMANDS[name]))
    assert "Traceback" not in result.output
    assert "Usage:" not in result.output, result.output
    if name in WORKS or name == "doctor":
        assert (result.exit_code == 0) is (name in WORKS)
        return
    said = [line for line in result.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    assert [line.split(":")[0] for line in said] == ["error", "hint"], result.output
    assert result.exit_code != 0
    if name not in NEEDS_NO_DEPLOYMENT:
        assert said[0].endswith("deployment.json: no deployment file")
        assert "fednet node join INVITATION" in said[1]
        assert "fednet deploy" in said[1]
    assert not (tmp_path / "home").exists()


def test_a_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p\n")
    home = tmp_path / "above" / "home"
    done = fednet(home, "keys", "new", "me", FEDNET_PASSWORD_FILE=str(tmp_path / "password"),
                  FEDNET_ACCOUNT_LIGHT_KDF="true")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert [each.stat().st_mode & 0o777 for each in (home, home / "keystores")] == [0o700] * 2


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("p\n")
    for home, told in (
        (tmp_path / "file" / "home", "cannot read the settings"),
        (Path("/proc/nothing/home"), "the home cannot be made"),
    ):
        password = {"FEDNET_PASSWORD_FILE": str(tmp_path / "file")}
        done = fednet(home, "keys", "new", "me", **password)
        assert done.exit_code == 2
        assert told in done.stderr
        assert "FEDNET_HOME" in done.stderr


@pytest.mark.parametrize(
    ("content", "code"), [(None, 2), ("", 2), ("{}\n", 3), ("nothing that fednet wrote\n", 3)]
)
def test_a_file_that_holds_no_checkpoint_is_told_with_how_to_make_one(
    tmp_path: Path, content: str | None, code: int
) -> None:
    if content is not None:
        (tmp_path / WRONG).write_text(content)
    result = fednet(tmp_path / "home", "checkpoint", "import", str(tmp_path / WRONG))
    assert result.exit_code == code
    assert "hint: such a file, one checkpoint a line" in result.stderr
    assert "fednet checkpoint show NUMBER > FILE" in result.stderr


def test_a_checkpoint_that_is_not_kept_is_told_with_how_to_get_one(tmp_path: Path) -> None:
    result = fednet(tmp_path / "home", "checkpoint", "show", "1")
    assert "none is kept yet" in result.stderr
    assert "fednet checkpoint make RUN" in result.stderr


def kinds(kind: type[errors.FednetError] = errors.FednetError) -> Iterator[type]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


def test_every_kind_of_error_has_a_remedy_and_a_hint_of_its_own_comes_first() -> None:
    assert set(REMEDIES) <= set(kinds())
    families = {each for each in kinds() if each.__base__ is errors.FednetError}
    assert {each for each in families if each.__module__ == errors.__name__} <= set(REMEDIES)
    assert remedy_of(errors.MalformedBlobError("x")) == REMEDIES[errors.VerificationError]
    assert remedy_of(errors.DataError("x")) == REMEDIES[errors.DataError]
    assert remedy_of(errors.DataError("x", hint="do this")) == "do this"
