"""What a report says of a plan with masks, and what such a plan promises to an airlock."""

from __future__ import annotations

from decimal import Decimal

from fednet.airlock import promised
from fednet.airlock.requirements import Requirement
from fednet.domain.sections import PrivacySection
from fednet.exports.wording import privacy_of
from tests.unit.privacy.test_agreement import masked_plan

PRIVATE = PrivacySection(
    mechanism="dp-sgd",
    clip_norm=Decimal(1),
    noise_multiplier=Decimal(1),
    epsilon=Decimal(3),
    delta=Decimal("0.00001"),
)


def test_masked_plan_is_said_to_show_the_sum_only() -> None:
    text = privacy_of(masked_plan())
    assert "secure aggregation" in text
    assert "no more than 30 percent" in text
    assert "could read each single" not in text


def test_noise_and_masks_are_both_told() -> None:
    both = masked_plan().model_copy(update={"privacy": PRIVATE})
    text = privacy_of(both)
    assert "epsilon of 3" in text
    assert "no more than 30 percent" in text
    assert "could read each single" not in text


def test_noise_for_whole_sites_is_told_and_that_nobody_can_see_it() -> None:
    hidden = PRIVATE.model_copy(update={"mechanism": "distributed-gaussian"})
    plan = masked_plan().model_copy(update={"privacy": hidden})
    text = privacy_of(plan)
    assert "whole institutions" in text
    assert "epsilon of 3 at a delta of 0.00001" in text
    assert "no audit can see it" in text
    assert "DP-SGD" not in text
    assert "no more than 30 percent" in text
    # Its epsilon is a promise to the airlock, as that of single records is.
    assert Requirement.parse("epsilon <= 3").is_met(promised(plan))
    assert not Requirement.parse("epsilon <= 2.9").is_met(promised(plan))
    assert Requirement.parse("delta <= 1e-5").is_met(promised(plan))


def test_masks_are_promised_to_an_airlock_that_asks_for_them() -> None:
    both = masked_plan().model_copy(update={"privacy": PRIVATE})
    assert promised(masked_plan()).mechanisms == {"secure-aggregation"}
    assert promised(masked_plan()).epsilon is None
    assert promised(both).mechanisms == {"secure-aggregation"}
    assert promised(both).epsilon == 3
