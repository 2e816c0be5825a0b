"""Models adapted behind real walls, from states as final rounds leave them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fednet.cli import adapting, plans
from fednet.cli.adapting import Wish
from fednet.cli.app import App
from fednet.cli.opening import FinalState
from fednet.domain import events as ev
from fednet.domain.identity import Address, Commitment, Digest, Locator, RoundNumber, RunId, SiteId
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import SettingsError, TrainingError
from fednet.learning import groups
from fednet.learning.partition import even, hospitals

RUN = RunId(1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    sites, held_out = hospitals().write(tmp_path_factory.mktemp("data"))
    return sites[0], held_out


@pytest.fixture
def app(tmp_path: Path) -> App:
    home = tmp_path / "home"
    home.mkdir()
    return App(home)


def final_state(
    app: App, folder: Path, *values: str, task: str = "breast-cancer"
) -> tuple[FinalState, dict[str, FloatArray]]:
    """Make a plan and take its initial state for that of a final round."""
    raw = plans.with_values({"name": "pilot", "rounds": 2}, values)
    file = plans.make(app, raw, folder, task, 3)
    data = file.model.read_bytes()
    state = Commitment.of(data)
    log = ev.Log(1, 0, Digest(bytes(32)), Address("0x"))
    final = ev.RoundProposed(
        log, RUN, RoundNumber(2), SiteId(1), 1, 1, 1000, state, Locator(bytes(state)), state,
        Digest(bytes(32)), 0, b"",
    )  # fmt: skip
    return FinalState(file.plan, final, data), decode_tensors(data, "state")[0]


def test_a_model_is_better_on_held_out_data_and_names_its_parent(
    app: App, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    state, arrays = final_state(app, tmp_path, "training.learning_rate=0.1")
    wish = Wish(files[0], 5, held_out=files[1])
    made = adapting.adapt(app, RUN, state, wish, {})
    again = adapting.adapt(app, RUN, state, wish, {})
    assert made == again
    assert made.about.after["accuracy"] > made.about.before["accuracy"] + 0.2
    assert made.about.parent == state.final.state
    (tmp_path / "model").write_bytes(made.model)
    found = load_file(tmp_path / "model")
    assert found.keys() == arrays.keys()
    assert not np.array_equal(found["weight"], arrays["weight"])
    card = made.card.decode()
    front = json.loads(next(line for line in card.splitlines() if line.startswith("fednet:"))[8:])
    assert front["parent_sha256"] == str(Commitment.of(state.data))
    assert front["model_sha256"] == str(Commitment.of(made.model))
    assert "On held-out data:" in card


def test_only_the_named_tensors_change(app: App, tmp_path: Path, files: tuple[Path, Path]) -> None:
    state, arrays = final_state(app, tmp_path, "server.optimizer=fedadam")
    made = adapting.adapt(app, RUN, state, Wish(files[0], 1, only=("bias",)), {})
    found, metadata = decode_tensors(made.model, "adapted")
    assert metadata["parent"] == str(state.final.state)
    assert set(found) == {"bias", "weight"}
    np.testing.assert_array_equal(found["weight"], arrays["weight"])
    assert not np.array_equal(found["bias"], arrays["bias"])
    assert made.about.trained == ("bias",)
    assert "flatters" in made.card.decode()


def test_nothing_to_train_and_no_such_cluster_are_refused(
    app: App, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    state, _ = final_state(app, tmp_path)
    with pytest.raises(TrainingError, match="no parameter"):
        adapting.adapt(app, RUN, state, Wish(files[0], 1, only=("nix",)), {})
    with pytest.raises(SettingsError, match="no such cluster"):
        adapting.adapt(app, RUN, state, Wish(files[0], 1, cluster=0), {})


def test_the_cluster_that_fits_best_is_taken_and_own_layers_complete_it(
    app: App, tmp_path: Path
) -> None:
    sites, _ = even("digits", 2).write(tmp_path / "digits")
    state, arrays = final_state(
        app, tmp_path, "clusters.method=ifca", "clusters.count=2", 'update.personal=["2.*"]',
        task="digits",
    )  # fmt: skip
    for name in ("0.weight", "0.bias"):
        arrays[f"~cluster-0/{name}"] = arrays[f"~cluster-0/{name}"] * np.float32(50)
    data = encode_tensors(arrays, STATE_METADATA)
    spoilt = FinalState(state.plan, state.final, data)
    head = {"personal/2.bias": np.full(10, 0.25, np.float32)}
    wish = Wish(sites[0], 1, learning_rate=Decimal("0.001"), only=("0.bias",))
    made = adapting.adapt(app, RUN, spoilt, wish, head)
    assert made.about.cluster == 1
    found, metadata = decode_tensors(made.model, "adapted")
    assert metadata["cluster"] == 1
    np.testing.assert_array_equal(found["0.weight"], arrays["~cluster-1/0.weight"])
    np.testing.assert_array_equal(found["2.bias"], head["personal/2.bias"])


def test_the_model_of_ones_own_is_dittos_or_the_global_one_with_own_layers(
    app: App, tmp_path: Path
) -> None:
    state, arrays = final_state(app, tmp_path, 'update.personal=["bias"]')
    shape = StateShape.of_state(state.plan, Layout.of(arrays))
    bias, weight = np.ones(2, np.float32), np.ones((2, 30), np.float32)
    kept: dict[str, Any] = groups.join({groups.OWN_TENSORS: {"bias": bias}})
    own = adapting.own_model(shape, arrays, kept)
    assert own.keys() == {"bias", "weight"}
    np.testing.assert_array_equal(own["weight"], arrays["weight"])
    ditto = kept | groups.join({groups.OWN_MODEL: {"bias": bias, "weight": weight}})
    np.testing.assert_array_equal(adapting.own_model(shape, arrays, ditto)["weight"], weight)
    with pytest.raises(SettingsError, match="keeps no model"):
        adapting.own_model(shape, arrays, {})
