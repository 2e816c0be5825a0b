"""A rehearsal on a real chain and a real store, and what is left of it for the audit."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from fednet.cli import main


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_a_rehearsal_compares_rules_and_leaves_a_network_that_audits(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    found = json.loads(
        call(
            "simulate", "--sites", "6", "--rounds", "2", "--attack", "constant:1",
            "--compare", "fedavg,median", "--set", "training.local_epochs=3",
            "--set", "update.maximum_norm=1000000",
            "--keep", home, "--out", out, "--json",
        )
    )  # fmt: skip
    mean, median = found["outcomes"]
    assert (mean["name"], median["name"]) == ("fedavg", "median")
    assert mean["complete"]
    assert median["complete"]
    assert len(mean["series"]) == len(median["series"]) == 2
    # One site that adds 100 to every weight ruins the mean; the median does not see it.
    assert median["last"] > mean["last"] + 0.2

    assert (out / "curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert json.loads((out / "result.json").read_text("utf-8")) == found["outcomes"]
    assert 'rule = "median"' in (out / "median.toml").read_text("utf-8")
    checked = call("plan", "check", out / "median.toml")
    assert "possible" in checked

    call("--home", home, "chain", "start", "--engine", "anvil", "--port", "0")
    try:
        verdicts = json.loads(call("--home", home, "audit", "--all", "--json"))
        shown = json.loads(call("--home", home, "ledger", "rounds", "1", "--json"))
    finally:
        call("--home", home, "chain", "stop")
    assert verdicts["verified"], verdicts["reports"]
    assert len(verdicts["reports"]) == 2
    assert len(shown) == 2


def test_a_rehearsal_draws_who_trains(tmp_path: Path) -> None:
    home = tmp_path / "home"
    played = call(
        "simulate", "--sites", "5", "--rounds", "2", "--set", "module.name=sampled",
        "--set", "module.sampled_sites=2", "--keep", home, "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert json.loads(played)["outcomes"][0]["complete"]
    call("--home", home, "chain", "start", "--engine", "anvil", "--port", "0")
    try:
        rounds = json.loads(call("--home", home, "ledger", "rounds", "1", "--json"))
    finally:
        call("--home", home, "chain", "stop")
    assert [len(row["drawn"]) for row in rounds] == [2, 2]
    assert [row["submitted"] for row in rounds] == [row["drawn"] for row in rounds]
    assert [len(row["attested"]) > 2 for row in rounds] == [True, True]


def test_a_rehearsal_refuses_what_it_cannot_play(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    for arguments, said in (
        (("--sites", "0"), "impossible number of sites"),
        (("--compare", "magic"), "nothing of this name can be compared"),
        (("--partition", "thirds"), "no such partition"),
        (("--task", "mine.py:Mine"), "ships no records"),
        (("--keep", str(tmp_path / "full")), "not empty"),
    ):
        done = CliRunner().invoke(main, ["simulate", *arguments])
        assert done.exit_code != 0
        assert said in done.stderr
