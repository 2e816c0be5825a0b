"""What a person can get wrong without any chain: one clear line, a remedy, an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fednet.cli import main
from fednet.errors import PlanError

PLAN = """
name = "pilot"
rounds = 3
[task]
source = "breast-cancer"
digest = "{digest}"
[model]
commitment = "{digest}"
size_bytes = 440
"""


def fednet(home: Path, *words: str, **environment: str | None) -> Result:
    runner = CliRunner(env={"FEDNET_HOME": str(home), "FEDNET_PASSWORD_FILE": None, **environment})
    return runner.invoke(main, list(words), prog_name="fednet")


def refused(result: Result, code: int, *told: str) -> None:
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[-2].startswith("error: "), result.stderr
    assert lines[-1].startswith("hint: "), result.stderr
    assert len([line for line in lines if line.startswith("error: ")]) == 1
    for text in told:
        assert text in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "words", [("site", "list"), ("run", "list"), ("audit", "1"), ("node", "status"),
              ("rewards", "show", "1"), ("ledger", "access")],
    ids=" ".join,
)  # fmt: skip
def test_command_without_a_deployment_says_how_to_get_one(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    refused(fednet(tmp_path, *words), 2, "deployment.json", "fednet node join")


def test_wrong_settings_file_stops_a_command(tmp_path: Path) -> None:
    (tmp_path / "fednet.toml").write_text("[chain]\nport = 8545\n")
    refused(fednet(tmp_path, "site", "list"), 2, "chain.port", "fednet.toml")


def test_wrong_environment_stops_a_command(tmp_path: Path) -> None:
    refused(fednet(tmp_path, "site", "list", FEDNET_CHAIN_URL="here"), 2, "FEDNET_CHAIN_URL")


def test_keystore_without_anybody_to_ask_for_a_password(tmp_path: Path) -> None:
    refused(fednet(tmp_path, "keys", "new", "me"), 2, "--password-file")
    assert not (tmp_path / "keystores").exists()


@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_password_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "password").write_text(text)
    result = fednet(tmp_path, "keys", "new", "me", "--password-file", str(tmp_path / "password"))
    assert result.exit_code == 2
    assert "empty" in result.stderr


@pytest.mark.parametrize("name", ["../me", "a/b", "", "x" * 65, ".hidden"])
def test_keystore_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "password").write_text("p")
    result = fednet(tmp_path, "keys", "new", name, FEDNET_PASSWORD_FILE=str(tmp_path / "password"))
    assert result.exit_code == 2
    assert "impossible name" in result.stderr


def test_what_is_no_private_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p")
    (tmp_path / "key").write_text("beefbeef")
    result = fednet(
        tmp_path, "keys", "import", "me", "--key-file", str(tmp_path / "key"),
        FEDNET_PASSWORD_FILE=str(tmp_path / "password"),
    )  # fmt: skip
    assert result.exit_code == 2
    assert "not a private key" in result.stderr
    assert "beefbeef" not in result.output


def test_missing_invitation_is_refused(tmp_path: Path) -> None:
    refused(fednet(tmp_path, "node", "join", str(tmp_path / "no.json")), 2, "invitation")
    assert not (tmp_path / "fednet.toml").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("", "is there"),
        ("name = 3\n", "name"),
        ("rounds = 0\n", "rounds"),
        ("cohort.minimum_sites = 9\n", "cohort"),
        ("timing.collect_seconds = 0\n", "timing.collect_seconds"),
        ("training.learning_rate = -1\n", "training.learning_rate"),
        ("colour = 'red'\n", "colour"),
        ("rounds = \n", "not TOML"),
    ],
)
def test_impossible_plan_names_the_field(tmp_path: Path, change: str, told: str) -> None:
    path = tmp_path / "pilot.toml"
    if change:
        base = "".join(
            line for line in PLAN.format(digest="00" * 32).splitlines(keepends=True)
            if line.split(" =")[0] != change.split(" =")[0]
        )  # fmt: skip
        path.write_text(change + base)
        result = fednet(tmp_path, "plan", "check", str(path))
        assert result.exit_code == PlanError.exit_code
        assert told in result.stderr
    else:
        refused(fednet(tmp_path, "plan", "check", str(path)), 2, "cannot read the plan")


def test_plan_for_another_task_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pilot.toml"
    path.write_text(PLAN.format(digest="00" * 32))
    refused(fednet(tmp_path, "plan", "check", str(path)), 2, "code on this machine", "00" * 32)


def test_plan_of_a_task_that_is_not_there_is_refused(tmp_path: Path) -> None:
    words = ("plan", "new", "pilot", "--task", "no.such:Task", "--directory", str(tmp_path))
    refused(fednet(tmp_path, *words), 8, "no.such")
    assert list(tmp_path.iterdir()) == []


def test_plan_new_refuses_an_impossible_plan_before_it_makes_a_model(tmp_path: Path) -> None:
    words = ("plan", "new", "pilot", "--task", "digits", "--directory", str(tmp_path))
    refused(fednet(tmp_path, *words, "--rounds", "0"), 2, "rounds")
    refused(fednet(tmp_path, *words, "--proximal-mu", "0.1"), 2, "proximal_mu")
    refused(fednet(tmp_path, *words, "--sites", "5", "--minimum-sites", "6"), 2, "minimum_sites")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("run", "status", "one"), ("access", "grant", "1"), ("site", "admit", "1", "--gas", "much"),
     ("site", "admit", "1", "--gas", "-1"), ("access", "request", "1"), ("plan", "new", "x"),
     ("unheard-of",), ("chain", "start", "--engine", "geth")],
    ids=" ".join,
)  # fmt: skip
def test_mistyped_command_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = fednet(tmp_path, *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "Usage: fednet" in result.stderr


def test_store_that_does_not_run_is_told_with_its_remedy(tmp_path: Path) -> None:
    refused(fednet(tmp_path, "store", "status"), 6, "fednet store start")


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert fednet(tmp_path, "store", "stop").stdout == "was not running\n"


def test_chain_of_another_keeper_cannot_be_stopped_here(tmp_path: Path) -> None:
    refused(fednet(tmp_path, "chain", "stop"), 5, "no chain of its own")


def test_doctor_names_a_remedy_for_each_failure(tmp_path: Path) -> None:
    result = fednet(tmp_path, "doctor", "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert not found["healthy"]
    failed = [entry for entry in found["checks"] if not entry["good"]]
    assert {"chain", "account", "store"} <= {entry["name"] for entry in failed}
    assert all(entry["remedy"] for entry in failed)


def test_verbose_alone_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" not in fednet(tmp_path, "site", "list").output
    assert "Traceback" in fednet(tmp_path, "--verbose", "site", "list").stderr


def test_fault_of_our_own_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("oh\nno")

    monkeypatch.setattr("fednet.cli.wiring.keystores", fail)
    refused(fednet(tmp_path, "keys", "list"), 1, "internal fault: ValueError: oh no", "--verbose")
