"""Models as they are given out of states that hold more than one model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import DigestMismatchError, SettingsError, ShapeMismatchError
from fednet.exports import Taken, model_bytes, take_model, write_card
from tests.unit.exports.made_up import make_dossier

MODEL = {"bias": np.ones(2, np.float32), "weight": np.arange(6, dtype=np.float32).reshape(3, 2)}


def plan_of(**sections: Any) -> Plan:
    base = {
        "name": "extract",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "1" * 64, "size_bytes": 100},
    }
    return Plan.validated(base | sections, "plan")


ADAM = plan_of(server={"optimizer": "fedadam"}, training={"algorithm": "scaffold"})
CLUSTERED = plan_of(clusters={"method": "ifca", "count": 2}, server={"optimizer": "fedavgm"})


def added(prefix: str) -> dict[str, FloatArray]:
    return {prefix + name: np.full_like(value, 9) for name, value in MODEL.items()}


def write(path: Path, arrays: dict[str, FloatArray]) -> Commitment:
    data = encode_tensors(arrays, STATE_METADATA)
    path.write_bytes(data)
    return Commitment.of(data)


def test_a_state_that_is_a_model_is_given_out_byte_for_byte(tmp_path: Path) -> None:
    state = write(tmp_path / "state", dict(MODEL))
    taken = take_model(tmp_path / "state", tmp_path / "model", state, plan_of(), None)
    assert taken == Taken(state, state)
    assert (tmp_path / "model").read_bytes() == (tmp_path / "state").read_bytes()


def test_moments_and_control_variate_are_left_out(tmp_path: Path) -> None:
    beside = added("~momentum/") | added("~second/") | added("~control/")
    state = write(tmp_path / "state", MODEL | beside)
    taken = take_model(tmp_path / "state", tmp_path / "model", state, ADAM, None)
    data = (tmp_path / "model").read_bytes()
    assert taken == Taken(Commitment.of(data), state)
    found = load_file(tmp_path / "model")
    assert found.keys() == MODEL.keys()
    np.testing.assert_array_equal(found["weight"], MODEL["weight"])


@pytest.mark.parametrize("cluster", [0, 1])
def test_a_clusters_model_has_the_names_of_the_task(tmp_path: Path, cluster: int) -> None:
    arrays = {
        f"~cluster-{at}/{name}": value + at for at in (0, 1) for name, value in MODEL.items()
    } | added("~cluster-0/~momentum/") | added("~cluster-1/~momentum/")  # fmt: skip
    state = write(tmp_path / "state", arrays)
    take_model(tmp_path / "state", tmp_path / "model", state, CLUSTERED, cluster)
    found = load_file(tmp_path / "model")
    assert found.keys() == MODEL.keys()
    np.testing.assert_array_equal(found["bias"], MODEL["bias"] + cluster)


@pytest.mark.parametrize(("plan", "cluster"), [(CLUSTERED, None), (CLUSTERED, 2), (ADAM, 0)])
def test_a_cluster_that_is_not_there_is_refused(plan: Plan, cluster: int | None) -> None:
    with pytest.raises(SettingsError, match="cluster"):
        model_bytes(b"", Commitment.of(b""), plan, cluster, "state")


def test_other_bytes_and_other_plans_are_refused(tmp_path: Path) -> None:
    state = write(tmp_path / "state", dict(MODEL))
    with pytest.raises(ShapeMismatchError):
        take_model(tmp_path / "state", tmp_path / "model", state, ADAM, None)
    with pytest.raises(DigestMismatchError):
        take_model(tmp_path / "state", tmp_path / "model", Commitment.of(b"other"), ADAM, None)
    assert not (tmp_path / "model").exists()


def test_the_card_names_model_and_state(tmp_path: Path) -> None:
    dossier = make_dossier()
    last = dossier.final_rounds[-1]
    taken = Taken(Commitment.of(b"the model alone"), last.proposed.state, 1)
    text = write_card(dossier, last, taken).decode()
    front = json.loads(next(line for line in text.splitlines() if line.startswith("fednet:"))[8:])
    assert front["model_sha256"] == str(taken.commitment)
    assert front["state_sha256"] == str(last.proposed.state)
    assert "cluster 1" in text
