"""A run as an RO-Crate, judged by the profiles' own validator and held against the dossier."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment
from fednet.domain.ledger import Inclusion
from fednet.errors import PhaseError, SettingsError
from fednet.exports.crate import METADATA_FILE, make_crate, write_crate
from fednet.exports.dossier import RunDossier
from tests.unit.exports.crate_judge import issues
from tests.unit.exports.made_up import RUN, make_dossier, violation

MODELS = (b"the model of round 1", b"the model of round 2")
PROFILES = ("provenance-run-crate", "workflow-run-crate", "process-run-crate", "workflow-ro-crate")


def write(folder: Path, dossier: RunDossier, name: str = "crate") -> Path:
    model = folder / "bytes of the model"
    model.write_bytes(MODELS[-1])
    write_crate(make_crate(dossier, model), folder / name)
    return folder / name


def graph_of(crate: Path) -> dict[str, dict[str, Any]]:
    metadata = json.loads((crate / METADATA_FILE).read_text())
    return {entity["@id"]: entity for entity in metadata["@graph"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_validator_finds_nothing_missing(profile: str, tmp_path: Path) -> None:
    left_out = {(1, 2): Inclusion.INVALID}
    crate = write(tmp_path, make_dossier(left_out=left_out, states=MODELS))
    assert issues(crate, profile, tmp_path / "cache") == []


def test_validator_would_find_something_missing(tmp_path: Path) -> None:
    crate = write(tmp_path, make_dossier(states=MODELS))
    metadata = json.loads((crate / METADATA_FILE).read_text())
    metadata["@graph"] = [e for e in metadata["@graph"] if e["@type"] != "OrganizeAction"]
    next(e for e in metadata["@graph"] if e["@type"] == "HowToStep").pop("workExample")
    (crate / METADATA_FILE).write_text(json.dumps(metadata))
    assert issues(crate, PROFILES[0], tmp_path / "cache")


def test_hostile_names_leave_the_crate_valid(tmp_path: Path) -> None:
    names = ('</script><script>alert(1)</script>"', "\u202egnp.exe\0", "x" * 1_000_000)
    crate = write(tmp_path, make_dossier(names=names, states=MODELS, findings=[violation()]))
    assert issues(crate, PROFILES[0], tmp_path / "cache") == []
    assert (crate / METADATA_FILE).stat().st_size < 100_000


def test_process_is_told_as_the_federated_learning_profile_asks(tmp_path: Path) -> None:
    graph = graph_of(write(tmp_path, make_dossier(states=MODELS)))
    process = graph["#process"]
    said = {kind: [each["@id"] for each in process[kind]] for kind in ("object", "result")}
    model = graph["model-round-2.safetensors"]
    datasets = [id_ for id_, e in graph.items() if e["@type"] == "Dataset" and id_ != "./"]
    assert len(datasets) == 3
    assert set(datasets) | {"plan.json"} <= set(said["object"])
    assert "model-round-2.safetensors" in said["result"]
    assert model["identifier"] == f"sha256:{Commitment.of(MODELS[1])}"
    assert model["encodingFormat"]
    assert graph["#fednet"]["version"]


def test_aggregation_takes_exactly_the_included_updates(tmp_path: Path) -> None:
    left_out = {(1, 2): Inclusion.INVALID}
    graph = graph_of(write(tmp_path, make_dossier(left_out=left_out, states=MODELS)))
    taken = {each["@id"] for each in graph["#aggregation-1"]["object"]}
    assert taken == {"#state-0", "#update-1-1", "#update-1-3"}


def test_every_reference_leads_somewhere(tmp_path: Path) -> None:
    graph = graph_of(write(tmp_path, make_dossier(states=MODELS)))
    for entity in graph.values():
        for value in entity.values():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict) and each["@id"] != "https://w3id.org/ro/crate/1.1":
                    assert each["@id"] in graph


def test_archive_is_the_same_at_every_writing(tmp_path: Path) -> None:
    dossier = make_dossier(states=MODELS)
    first, second = (write(tmp_path, dossier, name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert archive.read("model-round-2.safetensors") == MODELS[1]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write(tmp_path, make_dossier(states=MODELS))
    with pytest.raises(SettingsError, match="something already"):
        write(tmp_path, make_dossier(states=MODELS))


def test_run_without_a_model_is_refused(tmp_path: Path) -> None:
    dossier = replace(make_dossier(), history=RunHistory(RUN))
    with pytest.raises(PhaseError, match="no round is final"):
        write(tmp_path, dossier)
