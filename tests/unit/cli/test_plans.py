from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from fednet.cli import plans
from fednet.cli.app import App
from fednet.codec import check_initial_state
from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import FednetError, PlanError

RAW = {"name": "pilot", "rounds": 3}


@pytest.fixture
def app(tmp_path: Path) -> App:
    home = tmp_path / "home"
    home.mkdir()
    return App(home)


def made(app: App, tmp_path: Path, *values: str) -> plans.PlanFile:
    return plans.make(app, plans.with_values(RAW, values), tmp_path, "digits", 7)


def test_a_value_is_read_as_toml_or_is_text() -> None:
    raw = plans.with_values(
        {"training": {"momentum": 0}},
        ["training.learning_rate=0.10", "aggregation.rule=krum", 'update.personal=["2.*"]'],
    )
    assert raw == {
        "training": {"momentum": 0, "learning_rate": Decimal("0.10")},
        "aggregation": {"rule": "krum"},
        "update": {"personal": ["2.*"]},
    }


@pytest.mark.parametrize("text", ["rule=krum", "aggregation.rule", ".rule=krum", "name.first=x"])
def test_what_names_no_field_is_refused(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        plans.with_values(RAW, [text])
    assert caught.value.subject == f"--set {text}"


def test_a_state_holds_zeros_for_what_the_server_adds(app: App, tmp_path: Path) -> None:
    file = made(
        app, tmp_path, "training.algorithm=scaffold", "server.optimizer=fedyogi",
        'update.travelling=["2.*"]',
    )  # fmt: skip
    arrays, metadata = decode_tensors(file.model.read_bytes(), "state")
    assert metadata == STATE_METADATA
    assert set(arrays) == {
        "0.bias", "0.weight", "2.bias", "2.weight",
        "~control/2.bias", "~control/2.weight",
        "~momentum/2.bias", "~momentum/2.weight", "~second/2.bias", "~second/2.weight",
    }  # fmt: skip
    assert not any(value.any() for name, value in arrays.items() if name.startswith("~"))
    assert all(arrays[name].any() for name in ("0.bias", "2.weight"))
    found = plans.check(plans.read(file.path))
    assert found[2:] == [
        "model: 4 tensors, 9610 parameters",
        "beside: 3870 values of the server's state, all zero",
        "update: 2580 values travel",
    ]


def test_each_cluster_starts_from_a_seed_of_its_own(app: App, tmp_path: Path) -> None:
    file = made(
        app, tmp_path, "clusters.method=ifca", "clusters.count=2", 'update.personal=["2.*"]'
    )
    arrays, _ = decode_tensors(file.model.read_bytes(), "state")
    assert set(arrays) == {
        f"~cluster-{at}/0.{kind}" for at in (0, 1) for kind in ("bias", "weight")
    }
    assert not np.array_equal(arrays["~cluster-0/0.weight"], arrays["~cluster-1/0.weight"])
    assert "clusters: 2 models" in plans.check(plans.read(file.path))


def test_a_plan_that_leaves_a_field_unset_is_written_and_read(app: App, tmp_path: Path) -> None:
    file = made(app, tmp_path)
    assert file.plan.evaluation.target is None
    assert plans.read(file.path).plan == file.plan


@pytest.mark.parametrize("name", ["~momentum/0.weight", "~cluster-0/0.weight", "extra", ""])
def test_a_state_that_the_plan_does_not_ask_for_is_refused(
    app: App, tmp_path: Path, name: str
) -> None:
    file = made(app, tmp_path, "server.optimizer=fedavgm")
    arrays: dict[str, FloatArray] = decode_tensors(file.model.read_bytes(), "state")[0]
    if name in arrays:
        arrays[name] = np.full_like(arrays[name], 1e-30)
    elif name:
        arrays[name] = np.zeros((1,), np.float32)
    else:
        del arrays["2.bias"]
    data = encode_tensors(arrays, STATE_METADATA)
    file.model.write_bytes(data)
    model = file.plan.model.model_copy(
        update={"commitment": str(Commitment.of(data)), "size_bytes": len(data)}
    )
    plan: Plan = file.plan.model_copy(update={"model": model})
    with pytest.raises(FednetError) as caught:
        check_initial_state(file.model, plan, "initial model")
    assert "initial model" in str(caught.value)


PRIVATE = (
    "privacy.mechanism=dp-sgd", "privacy.clip_norm=1", "privacy.noise_multiplier=1",
    "privacy.epsilon=3", "privacy.delta=0.00001",
)  # fmt: skip


def test_check_says_what_of_a_privacy_promise_is_spent(app: App, tmp_path: Path) -> None:
    file = made(app, tmp_path, *PRIVATE, "update.minimum_examples=1000")
    found = plans.check(file)[-1]
    assert found.startswith("privacy: epsilon 2.6")
    assert found.endswith("of 3 at delta 0.00001, 1000 examples")


def test_check_refuses_a_plan_that_breaks_its_promise(app: App, tmp_path: Path) -> None:
    file = made(app, tmp_path, *PRIVATE, "update.minimum_examples=500")
    with pytest.raises(PlanError, match="breaks its own promise") as caught:
        plans.check(file)
    assert "500 examples" in caught.value.subject


def test_check_says_what_hides_whole_sites(app: App, tmp_path: Path) -> None:
    file = made(
        app, tmp_path, "module.name=masked", "masking.clip=1", "update.maximum_examples=100",
        "cohort.minimum_sites=10", "cohort.target_sites=10", "cohort.maximum_sites=10",
        *PRIVATE[1:], "privacy.mechanism=distributed-gaussian", "privacy.noise_multiplier=30",
    )  # fmt: skip
    found = plans.check(file)
    (spent,) = (line for line in found if line.startswith("privacy: epsilon "))
    assert spent.endswith("of 3 at delta 0.00001, whole sites")
    # Of ten 3 may vanish and 1 collude: 30 * sqrt(7 / 6) / 7
    assert found[-2].startswith("noise: at least 6 honest sites share")
    assert found[-2].endswith("deviates by 4.63 a value")
    # And that in each value of a model of some thousand.
    values = int(found[-1].split()[2])
    assert values > 1_000
    assert f"{30 * (7 / 6) ** 0.5 / 7 * values**0.5:.3g} times as long" in found[-1]


def test_check_says_what_sealing_adds_to_a_blob(app: App, tmp_path: Path) -> None:
    file = made(app, tmp_path, "privacy.sealed=true", "cohort.maximum_sites=10")
    size, chunks = file.plan.model.size_bytes, -(-file.plan.model.size_bytes // (1 << 16))
    added = 32 + 48 * 10 + 32 + 16 * chunks
    assert size > 0
    assert plans.check(file)[-1].endswith(f"at most {added} bytes longer")


def test_check_says_that_sites_share_one_key(app: App, tmp_path: Path) -> None:
    encrypted = (
        "homomorphic.scheme=ckks", f"homomorphic.key={'5a' * 32}",
        "homomorphic.aggregators=[5,6,7]", "homomorphic.clip=0.5", "cohort.minimum_updates=3",
        "cohort.minimum_sites=3", "cohort.target_sites=4", "cohort.maximum_sites=4",
        "update.maximum_examples=1000",
    )  # fmt: skip
    lines = plans.check(made(app, tmp_path, *encrypted))
    assert (
        "homomorphic: 2 of 3 aggregators must have the same sum; values up to 0.5 in steps of "
        "2^-20 over the examples" in lines
    )
    assert any("a site and an aggregator that collude can read every update" in at for at in lines)


def test_a_plan_whose_sums_could_not_be_decrypted_is_not_made(app: App, tmp_path: Path) -> None:
    encrypted = (
        "homomorphic.scheme=ckks", f"homomorphic.key={'5a' * 32}",
        "homomorphic.aggregators=[5,6,7]", "homomorphic.clip=0.5", "cohort.minimum_updates=3",
    )  # fmt: skip
    with pytest.raises(PlanError):
        made(app, tmp_path, *encrypted)
    assert not (tmp_path / "pilot.toml").exists()
