"""What a site may write in its policy, and what is refused there."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fednet.airlock import AirlockPolicy, policy_of, read_policy
from fednet.airlock.requirements import Promises, Requirement
from fednet.domain.identity import DatasetId
from fednet.errors import SettingsError

WRITTEN = """
[plans]
tasks = ["breast-cancer"]
researchers = ["0x00000000000000000000000000000000000000aB"]
mechanisms = ["secure-aggregation or epsilon <= 3", "delta <= 1e-5"]

[data]
minimum_examples = 50

[update]
maximum_norm = 10
tensors = { "fc1.*" = 2.5 }

[content]
maximum_likeness = 0.95

[gate]
human = true
unanswered = "release"

[budgets.7]
epsilon = 8

[budgets.every]
updates = 100
"""


def test_policy_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "airlock.toml"
    file.write_text(WRITTEN)
    policy = read_policy(file)
    assert policy.update.tensors == {"fc1.*": 2.5}
    assert policy.gate.human
    assert policy.content.bounded == {"maximum_likeness"}
    assert policy.looks_inside
    assert policy.budget_of(DatasetId(7))[1].epsilon == Decimal(8)
    assert policy.budget_of(DatasetId(7))[1].updates is None
    assert policy.budget_of(DatasetId(8)) == ("budgets.every", policy.budgets["every"])


def test_the_policy_that_the_manual_shows_is_one() -> None:
    manual = Path(__file__).parents[3] / "docs" / "operations.md"
    shown = manual.read_text("utf-8").split("## The airlock")[1].split("```")[1]
    policy = policy_of(tomllib.loads(shown.removeprefix("toml")), "manual")
    assert policy.speaks_of_plans
    assert policy.update.tensors
    assert policy.gate.human
    assert len(policy.content.bounded) == 5


def test_an_empty_policy_asks_for_nothing_more_than_the_plan() -> None:
    policy = policy_of({}, "policy")
    assert policy == AirlockPolicy()
    assert not policy.speaks_of_plans
    assert not policy.looks_inside
    assert not policy.gate.human


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"plan": {}}, "plan"),
        ({"plans": {"task": ["digits"]}}, "plans.task"),
        ({"plans": {"tasks": "digits"}}, "plans.tasks"),
        ({"plans": {"tasks": [""]}}, "plans.tasks.0"),
        ({"plans": {"digests": ["abc"]}}, "plans.digests.0"),
        ({"plans": {"researchers": ["0x12"]}}, "plans.researchers.0"),
        ({"plans": {"mechanisms": ["secure-agregation"]}}, "plans.mechanisms.0"),
        ({"plans": {"mechanisms": ["epsilon < 3"]}}, "plans.mechanisms.0"),
        ({"data": {"minimum_examples": True}}, "data.minimum_examples"),
        ({"data": {"minimum_examples": 0}}, "data.minimum_examples"),
        ({"update": {"maximum_norm": float("nan")}}, "update.maximum_norm"),
        ({"update": {"tensors": {"fc1": -1}}}, "update.tensors.fc1"),
        ({"content": {"maximum_likeness": 1.5}}, "content.maximum_likeness"),
        ({"content": {"maximum_advantage": 0.3}}, "content"),
        ({"content": {"unmeasured": "ignore"}}, "content.unmeasured"),
        ({"gate": {"unanswered": "approve"}}, "gate.unanswered"),
        ({"gate": {"answer_seconds": 0}}, "gate.answer_seconds"),
        ({"budgets": {"0": {}}}, "budgets.0"),
        ({"budgets": {"every": {"epsilon": -1}}}, "budgets.every.epsilon"),
    ],
)
def test_policy_refuses_what_it_does_not_know_and_names_the_key(
    raw: dict[str, Any], key: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        policy_of(raw, "airlock.toml")
    assert caught.value.message.startswith(f"{key}: ")
    assert caught.value.hint == f"correct {key} in airlock.toml"


@pytest.mark.parametrize("text", [None, "[plans", "\xff"])
def test_policy_that_cannot_be_read_is_never_an_empty_one(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "airlock.toml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError) as caught:
        read_policy(file)
    assert caught.value.subject == str(file)


def test_policy_file_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "airlock.toml"
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(SettingsError, match="too large"):
        read_policy(file)


@pytest.mark.parametrize(
    ("promises", "met"),
    [
        (Promises(), False),
        (Promises(frozenset({"secure-aggregation"})), True),
        (Promises(frozenset({"sealed-blobs"}), Decimal("3.01")), False),
        (Promises(epsilon=Decimal(3)), True),
        (Promises(delta=Decimal(3)), False),
    ],
)
def test_one_of_the_alternatives_is_enough(promises: Promises, met: bool) -> None:
    assert Requirement.parse("secure-aggregation or epsilon <= 3").is_met(promises) is met
