from __future__ import annotations

import pytest

from fednet.domain.plan import Plan
from fednet.errors import SettingsError
from fednet.learning.hostile import ATTACKS
from fednet.simulation.comparison import merged, variant, variants
from fednet.simulation.scenario import Attack, Partition, Scenario
from fednet.simulation.vanishing import Vanishing


def test_partitions_are_read() -> None:
    assert Partition.parse("iid") == Partition("iid")
    assert Partition.parse("dirichlet:0.3") == Partition("dirichlet", 0.3)


@pytest.mark.parametrize("text", ["", "iid:1", "dirichlet", "dirichlet:0", "dirichlet:nan", "even"])
def test_other_partitions_are_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Partition.parse(text)
    assert caught.value.subject == text


@pytest.mark.parametrize("text", ["sign-flip", "sign-flip:0", "sign-flip:-1", "sign-flip:x", "x:1"])
def test_other_attacks_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Attack.parse(text, tuple(ATTACKS))


def test_a_scenario_needs_an_honest_site() -> None:
    attack = Attack.parse("noise:3", tuple(ATTACKS))
    assert Scenario(4, Partition("iid"), attack, 0).attack == Attack("noise", 3)
    with pytest.raises(SettingsError) as hostile:
        Scenario(3, Partition("iid"), attack, 0)
    assert "--attack" in str(hostile.value.hint)
    with pytest.raises(SettingsError) as empty:
        Scenario(0, Partition("iid"), None, 0)
    assert "--help" in str(empty.value.hint)
    with pytest.raises(SettingsError) as gone:
        Scenario(3, Partition("iid"), None, 0, Vanishing(3))
    assert "--vanish" in str(gone.value.hint)


def test_every_variant_makes_a_possible_plan() -> None:
    base = {
        "name": "variant",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "1" * 64, "size_bytes": 100},
        "cohort": {"minimum_sites": 11, "target_sites": 11, "minimum_updates": 11},
    }
    for name in variants():
        plan = Plan.validated(merged(base, variant(name, hostile=2)), name)
        assert name in (
            plan.aggregation.rule,
            plan.training.algorithm,
            plan.server.optimizer,
            plan.module.name,
        )


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        variant("magic", 0)
    assert "krum" in str(caught.value.expected)
