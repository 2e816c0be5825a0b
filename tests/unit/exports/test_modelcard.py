"""The model card: that its example works, what it says, and what it leaves to the researcher."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fednet.domain.identity import Commitment
from fednet.domain.tensors import encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import DigestMismatchError, SettingsError
from fednet.exports import copy_verified, write_card, write_files, write_lineage
from tests.unit.exports.made_up import NAMES, make_dossier, violation

ARRAYS = {"bias": np.ones(2, np.float32), "weight": np.zeros((3, 2), np.float32)}
MODEL = encode_tensors(ARRAYS, STATE_METADATA)
STATES = (b"the model of round 1", MODEL)


def card(**changes: object) -> str:
    dossier = make_dossier(states=STATES, **changes)  # type: ignore[arg-type]
    return write_card(dossier, dossier.final_rounds[-1]).decode()


def test_example_of_the_card_loads_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(MODEL)
    monkeypatch.chdir(tmp_path)
    found = re.search(r"```python\n(.*?)```", card(), re.DOTALL)
    assert found
    exec(found.group(1), {})
    assert "weight (3, 2) float32" in capsys.readouterr().out
    assert set(load_file("model.safetensors")) == set(ARRAYS)


def test_front_matter_is_yaml_that_is_json_line_by_line() -> None:
    _, front, _ = card().split("---\n", 2)
    values = {key: json.loads(value) for key, _, value in
              (line.partition(": ") for line in front.strip().splitlines())}  # fmt: skip
    assert values["library_name"] == "safetensors"
    assert values["fednet"]["model_sha256"] == str(Commitment.of(MODEL))


def test_card_marks_what_only_the_researcher_knows() -> None:
    text = card()
    assert text.count("To be filled in by the researcher") == 3
    assert "No metric is recorded" in text


def test_card_says_the_verdict() -> None:
    assert "Everything that can be checked holds." in card()
    assert "**NOT AUDITED.**" in card(findings=None)
    wrong = card(findings=[violation()])
    assert "**DOES NOT HOLD.** Accused: site 2" in wrong


def test_hostile_names_are_words_only() -> None:
    text = card(names=("<script>alert(1)</script>", "[x](javascript:alert(1)) | a\n## b", "`c`"))
    assert "<script" not in text
    assert "](javascript" not in text
    assert "\n## b" not in text


def test_lineage_leads_from_the_initial_model_to_this_one() -> None:
    dossier = make_dossier(rounds=3)
    told = json.loads(write_lineage(dossier, dossier.final_rounds[1]))
    assert [entry["round"] for entry in told["rounds"]] == [1, 2]
    assert told["rounds"][0]["previous_state"] == told["initial_model"]
    assert told["rounds"][1]["previous_state"] == told["rounds"][0]["state"]
    assert told["rounds"][1]["state"] == told["model"]
    assert {u["name"] for u in told["rounds"][0]["updates"]} == set(NAMES)
    assert {u["dataset"] for u in told["rounds"][0]["updates"]} == {11, 12, 13}


def test_copy_of_other_bytes_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"something else")
    with pytest.raises(DigestMismatchError):
        copy_verified(tmp_path / "blob", tmp_path / "out" / "model", Commitment.of(MODEL))
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    write_files({path: b"mine"})
    with pytest.raises(SettingsError, match="something already"):
        write_files({path: b"theirs"})
    assert path.read_bytes() == b"mine"
    write_files({path: b"theirs"}, force=True)
    assert path.read_bytes() == b"theirs"
