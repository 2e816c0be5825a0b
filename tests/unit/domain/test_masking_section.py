"""A plan with masked updates: what it may say, and what cannot stand beside it."""

from __future__ import annotations

from typing import Any

import pytest

from fednet.domain.masking_stages import MaskingTimes
from fednet.domain.plan import Plan
from fednet.errors import PlanError

MASKED = {"module": {"name": "masked"}, "masking": {"clip": "0.5"}}


def plan_with(**sections: Any) -> Plan:
    raw = {
        "name": "p",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
    }
    return Plan.validated(raw | sections, "plan")


def test_masked_plan_reads_back_from_its_bytes() -> None:
    plan = plan_with(**MASKED)
    assert plan.is_masked
    assert Plan.from_bytes(plan.to_bytes()) == plan


def test_masked_plan_tells_the_module_its_times() -> None:
    masking = {
        "clip": 1, "key_seconds": 10, "share_seconds": 20, "holding_seconds": 30,
        "freeze_seconds": 40,
    }  # fmt: skip
    plan = plan_with(module={"name": "masked"}, masking=masking)
    assert plan.masking_times == MaskingTimes(10, 20, 30, 40)
    assert plan.module.drawn_sites is None


def test_another_plan_masks_nothing() -> None:
    plan = plan_with()
    assert not plan.is_masked
    assert plan.masking_times is None


@pytest.mark.parametrize(
    ("sections", "reason", "remedy"),
    [
        ({"module": {"name": "plain"}}, "nothing is masked", 'module.name = "masked"'),
        ({"masking": {}}, "largest magnitude", "clip must be above 0"),
        ({"aggregation": {"rule": "krum"}}, "krum compares", 'aggregation.rule = "fedavg"'),
        ({"aggregation": {"rule": "median"}}, "median compares", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "trimmed-mean"}}, "trimmed-mean compares", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "multi-krum"}}, "multi-krum compares", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "bulyan"}}, "bulyan compares", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "geometric-median"}}, "compares", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "norm-bounding", "norm": 1}}, "one by one", 'rule = "fedavg"'),
        ({"aggregation": {"rule": "centred-clipping", "norm": 1}}, "one by one", '"fedavg"'),
        ({"aggregation": {"rule": "fednova"}}, "its own steps", 'rule = "fedavg"'),
        ({"update": {"codec": "int8"}}, "cannot be added up", 'update.codec = "float32"'),
        ({"update": {"codec": "bfloat16"}}, "cannot be added up", 'update.codec = "float32"'),
        ({"update": {"codec": "topk", "keep_ratio": "0.1"}}, "added up", '"float32"'),
        ({"training": {"algorithm": "scaffold"}}, "control variate", "training.algorithm"),
        (
            {"staleness": {"rounds": 1}, "cohort": {"target_updates": 2}},
            "late update",
            "staleness.rounds = 0",
        ),
        ({"cohort": {"target_updates": 2}}, "not waited for", "target_updates = 0"),
        ({"clusters": {"method": "ifca", "count": 2}}, "cluster", "clusters.count = 1"),
        ({"clusters": {"method": "similarity", "count": 2}}, "cluster", "clusters.count = 1"),
        ({"evaluation": {"metric": "accuracy"}}, "one by one", 'metric = ""'),
        ({"timing": {"collect_seconds": 900}}, "below timing.collect_seconds", "900"),
        ({"timing": {"propose_seconds": 300}}, "unmasked before", "timing.propose_seconds"),
    ],
)
def test_what_masks_cannot_stand_beside_is_refused_with_the_remedy(
    sections: Any, reason: str, remedy: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan_with(**(MASKED | sections))
    assert reason in str(caught.value)
    assert remedy in str(caught.value)
    assert "masking:" in str(caught.value)


HIDDEN = {
    "mechanism": "distributed-gaussian", "clip_norm": 1, "noise_multiplier": 4, "epsilon": 3,
    "delta": "0.00001",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sections", "reason", "remedy"),
    [
        ({"module": {"name": "plain"}, "masking": {}}, "too little by itself", '"masked"'),
        ({"masking": {}}, "largest magnitude", "clip must be above 0"),
        ({"privacy": HIDDEN | {"clip_norm": 0}}, "needs clip_norm above 0", ""),
        ({"privacy": HIDDEN | {"epsilon": 0, "delta": 0}}, "needs epsilon, delta", ""),
        ({"privacy": HIDDEN | {"noise_multiplier": "0.05"}}, "at least 0.1", ""),
        (
            {"privacy": HIDDEN | {"delta": "0.001"}},
            "below 1 / cohort.maximum_sites",
            "0.00001 or less",
        ),
        ({"privacy": HIDDEN | {"mechanism": "none"}}, "need mechanism", '"distributed-gaussian"'),
        ({"evaluation": {"metric": "accuracy"}}, "one by one", 'metric = ""'),
        ({"privacy": HIDDEN | {"quantile": "0.5"}}, "units of the round's norm", "clip = 1"),
        ({"privacy": HIDDEN | {"norm_rate": "0.5"}}, "needs quantile", "stays as it is"),
        (
            {"module": {"name": "plain"}, "masking": {}, "privacy": {"quantile": "0.5"}},
            "only in the masked sum", '"distributed-gaussian"',
        ),
    ],
)  # fmt: skip
def test_what_noise_for_whole_sites_cannot_stand_beside_is_refused(
    sections: Any, reason: str, remedy: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan_with(**(MASKED | {"privacy": HIDDEN} | sections))
    assert reason in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        # Nothing is sampled and nothing noisy in training: neither needs examples nor steps.
        {"update": {"minimum_examples": 1}, "training": {"local_epochs": 0}},
        {"training": {"algorithm": "fedprox", "proximal_mu": 1}},
        {"server": {"optimizer": "fedadam"}},
        {"personal": {"method": "ditto", "pull": 1}},
        {"privacy": HIDDEN | {"delta": "0.000999"}},
        {"privacy": HIDDEN | {"quantile": "0.5", "norm_rate": 1}, "masking": {"clip": 1}},
    ],
)
def test_noise_for_whole_sites_stands_beside_what_looks_at_the_sum_only(sections: Any) -> None:
    plan = plan_with(**(MASKED | {"privacy": HIDDEN} | sections))
    assert plan.privacy.hides_sites
    assert not plan.privacy.hides_records
    assert Plan.from_bytes(plan.to_bytes()) == plan


@pytest.mark.parametrize(
    "sections",
    [
        {"timing": {"collect_seconds": 901, "propose_seconds": 301}},
        {"training": {"algorithm": "fedprox", "proximal_mu": 1}},
        {"server": {"optimizer": "fedadam"}},
        {"personal": {"method": "ditto", "pull": 1}},
        {"update": {"travelling": ["body.*"], "personal": ["head.*"]}},
    ],
)
def test_what_adds_nothing_of_a_single_update_stands_beside_masks(sections: Any) -> None:
    assert plan_with(**(MASKED | sections)).is_masked


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ring_bits", 16),
        ("clip", "1e13"),
        ("clip", -1),
        ("colluding", 1),
        ("vanishing", -1),
        ("key_seconds", 0),
        ("freeze_seconds", 0),
        ("rings", 32),
    ],
)
def test_field_out_of_range_is_refused(field: str, value: object) -> None:
    with pytest.raises(PlanError, match=f"masking.{field}"):
        plan_with(module={"name": "masked"}, masking={"clip": 1, field: value})
