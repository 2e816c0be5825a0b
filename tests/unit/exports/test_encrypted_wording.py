"""What a report says of a plan with encrypted updates, and what such a plan promises."""

from __future__ import annotations

from fednet.airlock import promised
from fednet.airlock.requirements import Requirement
from fednet.exports.wording import privacy_of
from tests.unit.domain.test_homomorphic_section import ENCRYPTED, plan_with


def test_encrypted_plan_is_said_to_share_one_key() -> None:
    text = privacy_of(plan_with(**ENCRYPTED))
    assert "homomorphic encryption" in text
    assert "shared one secret key" in text
    assert "could read each single" not in text


def test_noise_and_encryption_are_both_told() -> None:
    noise = {
        "mechanism": "dp-sgd", "clip_norm": 1, "noise_multiplier": 1, "epsilon": 3,
        "delta": "0.00001",
    }  # fmt: skip
    both = plan_with(**ENCRYPTED, privacy=noise, update={"minimum_examples": 500})
    text = privacy_of(both)
    assert "epsilon of 3" in text
    assert "shared one secret key" in text
    assert "could read each single" not in text


def test_encryption_is_promised_to_an_airlock_that_asks_for_it() -> None:
    promises = promised(plan_with(**ENCRYPTED))
    assert promises.mechanisms == {"homomorphic-encryption"}
    asked = Requirement.parse("secure-aggregation or homomorphic-encryption")
    assert asked.is_met(promises)
    assert not asked.is_met(promised(plan_with()))
