"""Checkpoint files by the command line, without a chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from fednet.cli import main
from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.ledger.checkpoints import sign_checkpoint

SIGNED = sign_checkpoint(
    Checkpoint(
        1337, Digest(bytes(32)), Address("0x" + "22" * 20), SiteId(3), 40, Digest(bytes(32)),
        RunId(5), RoundNumber(6), Commitment(bytes(32)), 1_700_000_000,
    ),
    Account.from_key("0x" + "11" * 32),
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def types(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *words])


def write(path: Path, *found: SignedCheckpoint) -> str:
    path.write_bytes(b"".join(signed.to_bytes() + b"\n" for signed in found))
    return str(path)


def test_imported_checkpoints_are_kept_once_and_shown_as_signed(home: Path, tmp_path: Path) -> None:
    theirs = write(tmp_path / "theirs", SIGNED)
    assert types(home, "checkpoint", "import", theirs).output == "kept 1 of 1\n"
    again = types(home, "checkpoint", "import", theirs)
    assert (again.exit_code, "nothing new" in again.output) == (2, True)
    shown = types(home, "checkpoint", "show", "1")
    assert shown.stdout_bytes == SIGNED.to_bytes() + b"\n"
    assert '"round": 6' in types(home, "checkpoint", "list", "--json").output
    assert types(home, "checkpoint", "show", "2").exit_code == 2


def test_forged_checkpoint_is_not_kept(home: Path, tmp_path: Path) -> None:
    forged = replace(SIGNED, statement=replace(SIGNED.statement, block=41))
    refused = types(home, "checkpoint", "import", write(tmp_path / "f", SIGNED, forged))
    assert refused.exit_code == 3
    assert "signature" in refused.output
    assert types(home, "checkpoint", "list").output == "no checkpoints\n"


@pytest.mark.parametrize("data", [b"", b"rubbish\n", b"[" * 5_000])
def test_file_that_holds_none_is_refused_in_one_line(
    home: Path, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    refused = types(home, "checkpoint", "import", str(path))
    assert refused.exit_code in (2, 3)
    assert refused.output.startswith("error: ")


def test_audit_wants_a_run_or_all(home: Path) -> None:
    assert types(home, "audit").exit_code == 2
    assert types(home, "audit", "1", "--all").exit_code == 2
