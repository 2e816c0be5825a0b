"""Runs of every algorithm, really trained: the audit recomputes each, and finds who steers one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.domain.sections import (
    AggregationSection,
    PersonalSection,
    ServerSection,
    TrainingSection,
    UpdateSection,
)
from fednet.domain.tensors import FloatArray
from tests.unit.audit.schooling import TRAINING, School

Sections = Mapping[str, Any]


def training(**changes: Any) -> TrainingSection:
    return TRAINING.model_copy(update=changes)


RUNS: dict[str, Sections] = {
    "fedprox": {"training": training(algorithm="fedprox", proximal_mu=Decimal("0.1"))},
    "scaffold": {"training": training(algorithm="scaffold")},
    "fedavgm": {"server": ServerSection(optimizer="fedavgm", learning_rate=Decimal("0.5"))},
    "fedadam": {"server": ServerSection(optimizer="fedadam", learning_rate=Decimal("0.02"))},
    "fedyogi": {"server": ServerSection(optimizer="fedyogi", learning_rate=Decimal("0.02"))},
    "fedadagrad": {"server": ServerSection(optimizer="fedadagrad", learning_rate=Decimal("0.05"))},
    "fednova": {"aggregation": AggregationSection(rule="fednova")},
    "ditto": {"personal": PersonalSection(method="ditto", pull=Decimal("0.1"))},
    "frozen layers, with moments": {
        "update": UpdateSection(travelling=("2.*",)),
        "server": ServerSection(optimizer="fedadam", learning_rate=Decimal("0.02")),
    },
    "scaffold and momentum": {
        "training": training(algorithm="scaffold"),
        "server": ServerSection(optimizer="fedavgm"),
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_the_audit_verifies_a_run(tmp_path: Path, name: str) -> None:
    school = School(tmp_path, 2, RUNS[name])
    before = school.global_state()
    school.learn(2)
    after = school.global_state()
    assert school.audit().findings == ()
    changed = {name for name in after if not np.array_equal(before[name], after[name])}
    frozen = {"0.bias", "0.weight"} if school.plan.update.travelling else set()
    assert changed == after.keys() - frozen


def test_scaffolds_global_variate_is_the_weighted_mean_of_the_sites(tmp_path: Path) -> None:
    school = School(tmp_path, 2, RUNS["scaffold"])
    school.learn(2)
    state = school.global_state()
    total = sum(len(school.data(site)) for site in school.sites)
    for spec in school.shape.model.tensors:
        mean = sum(
            school.kept[site][f"control/{spec.name}"].astype(np.float64) * len(school.data(site))
            for site in school.sites
        )
        np.testing.assert_allclose(state[f"~control/{spec.name}"], mean / total, atol=1e-5)


class Steered(School):
    """Begin with moments that are not zero."""

    def initial(self) -> dict[str, FloatArray]:
        arrays = super().initial()
        arrays["~momentum/2.bias"][3] = 1e-6
        return arrays


def test_moments_that_do_not_start_at_zero_are_found(tmp_path: Path) -> None:
    school = Steered(tmp_path, 2, RUNS["fedavgm"])
    school.learn(1)
    found = [each for each in school.audit().findings if each.code == "initial-model-unfit"]
    assert len(found) == 1
    assert "~momentum/2.bias" in found[0].message
