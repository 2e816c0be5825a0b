"""`fednet store sweep`: a person sees what was let go of, and what stays and why."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fednet.cli import main, wiring
from tests.unit.audit.test_erasures import GROUNDS, erase
from tests.unit.node.test_sweeping import ERASING, Member


def sweep(member: Member, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    reader: Any = member.world
    monkeypatch.setattr(wiring, "reader", lambda app: reader)
    monkeypatch.setattr(wiring, "store", lambda app: nullcontext(member.store))
    result = CliRunner().invoke(main, ["--home", str(member.home), "store", "sweep", *words])
    assert result.exit_code == 0, result.output
    return result


def test_what_was_erased_is_told_by_run_dataset_and_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(tmp_path, rounds=2)
    member.play(2)
    assert sweep(member, monkeypatch).stdout == "no member has erased anything\n"
    erase(member.world, ERASING)
    told = sweep(member, monkeypatch).stdout
    assert told == (
        "run 1: of dataset 3, erased by site 3, 2 updates are gone from here,"
        " 0 were not to be had\n"
    )
    assert [site for _, site in member.held()] == [1, 2, 1, 2]
    # It looks for all that was ever erased, whatever was dealt with before.
    (said,) = json.loads(sweep(member, monkeypatch, "--json").stdout)
    assert said == {
        "run": 1, "site": 3, "dataset": 3, "grounds": str(GROUNDS), "removed": 0, "absent": 2,
        "in_use": 0, "shared": 0,
    }  # fmt: skip


def test_what_stays_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(tmp_path, rounds=4)
    member.play(3)
    erase(member.world, ERASING)
    told = sweep(member, monkeypatch)
    assert "2 updates are gone from here" in told.stdout
    assert "1 are of the last rounds of a run that goes on: sweep later" in told.stderr
