"""Codecs that cannot stand beside another choice of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from fednet.domain.plan import Plan
from fednet.errors import PlanError


def plan_with(**sections: Any) -> Plan:
    raw = {
        "name": "p",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
        "cohort": {"target_sites": 11, "minimum_sites": 11, "minimum_updates": 11},
    }
    return Plan.validated(raw | sections, "plan")


SPARSE = {"codec": "topk-int8", "keep_ratio": "0.01"}


@pytest.mark.parametrize("codec", ["topk", "topk-int8", "topk-int4"])
@pytest.mark.parametrize(
    "aggregation",
    [
        {"rule": "median"},
        {"rule": "trimmed-mean", "hostile": 2},
        {"rule": "bulyan", "hostile": 2},
        {"rule": "krum", "hostile": 2, "fallback": "median"},
    ],
)
def test_sparse_updates_need_a_rule_that_adds_up(codec: str, aggregation: Any) -> None:
    sparse = SPARSE | {"codec": codec}
    assert plan_with(aggregation=aggregation, update={"codec": "int8"})
    with pytest.raises(PlanError, match="would take that zero"):
        plan_with(aggregation=aggregation, update=sparse)


def test_scaffold_needs_a_codec_that_keeps_all() -> None:
    scaffold = {"algorithm": "scaffold"}
    assert plan_with(training=scaffold, update={"codec": "int8"})
    with pytest.raises(PlanError, match="scaffold"):
        plan_with(training=scaffold, update=SPARSE)


@pytest.mark.parametrize("rule", ["fedavg", "fednova", "geometric-median"])
def test_sparse_updates_stand_beside_other_rules(rule: str) -> None:
    assert plan_with(aggregation={"rule": rule}, update=SPARSE)


@pytest.mark.parametrize(
    "update",
    [{"codec": "topk"}, {"codec": "int8", "keep_ratio": "0.5"}, {"keep_ratio": "0.5"}],
)
def test_keep_ratio_is_for_sparse_codecs_only(update: Any) -> None:
    with pytest.raises(PlanError, match="keep_ratio"):
        plan_with(update=update)
