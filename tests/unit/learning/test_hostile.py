from __future__ import annotations

import numpy as np
import pytest

from fednet.learning.hostile import ATTACKS, flipped

OWN = {"w": np.array([1.0, -2.0], np.float32), "a": np.array([[3.0]], np.float32)}
HONEST = [
    {"w": np.array([0.0, 4.0], np.float32), "a": np.array([[1.0]], np.float32)},
    {"w": np.array([2.0, 4.0], np.float32), "a": np.array([[1.0]], np.float32)},
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [1.0, -2.0]),
        ("label-flip", [1.0, -2.0]),
        ("claims", [1.0, -2.0]),
        ("sign-flip", [-1.0, 2.0]),
        ("sign-flip-10", [-10.0, 20.0]),
        ("constant", [101.0, 98.0]),
        ("alie", [-0.5, 4.0]),
        ("inner-product", [-0.5, -2.0]),
    ],
)
def test_attack_sends(name: str, expected: list[float]) -> None:
    sent = ATTACKS[name].strike(OWN, HONEST, np.random.default_rng(0))
    assert sent["w"].tolist() == expected
    assert all(sent[key].dtype == np.float32 for key in OWN)


def test_noise_follows_its_seed_and_nothing_else() -> None:
    one, same = (ATTACKS["noise"].strike(OWN, HONEST, np.random.default_rng(1)) for _ in range(2))
    assert one["w"].tolist() == same["w"].tolist()
    assert one["w"].tolist() != OWN["w"].tolist()


def test_nan_spoils_one_value_of_a_copy() -> None:
    sent = ATTACKS["nan"].strike(OWN, HONEST, np.random.default_rng(0))
    assert sum(int(np.isnan(array).sum()) for array in sent.values()) == 1
    assert np.isfinite(OWN["a"]).all()


def test_labels_are_flipped_and_claims_multiplied() -> None:
    assert flipped(np.array([0, 3, 9]), 10).tolist() == [9, 6, 0]
    assert [name for name, each in ATTACKS.items() if each.flips_labels] == ["label-flip", "claims"]
    assert ATTACKS["claims"].claimed == 1_000
