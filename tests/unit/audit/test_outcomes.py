"""What a rule did to the updates stands in the audit's report, whatever the rule."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fednet.audit.memory import AuditMemory
from fednet.domain.record import outcome_text
from fednet.domain.sections import AggregationSection
from tests.unit.audit.world import World

HOSTILE = 7
RULES: dict[str, tuple[dict[str, Any], str]] = {
    "krum": ({"hostile": 1}, "left_out"),
    "multi-krum": ({"hostile": 1}, "left_out"),
    "bulyan": ({"hostile": 1}, "left_out"),
    "geometric-median": ({"hostile": 1}, "weakened"),
    "norm-bounding": ({"norm": Decimal(6)}, "clipped"),
    "centred-clipping": ({"norm": Decimal(6), "hostile": 1}, "clipped"),
}
"""Parameters, and the word under which the record names whom the rule held down."""
TREATS_ALL_ALIKE = ("fedavg", "median", "trimmed-mean")


def played(folder: Path, rule: str, **parameters: Any) -> World:
    """Play a round of seven sites of which the last sends something far off."""
    section = AggregationSection(rule=rule, fallback="median", **parameters)  # type: ignore[arg-type]
    kind = type("Ruled", (World,), {"sections": {"aggregation": section}})
    world: World = kind(folder, sites=HOSTILE, rounds=1)
    for site in world.sites:
        world.submit(site, fill=20.0 if site == HOSTILE else None)
    world.close()
    world.propose()
    world.attest(*world.sites)
    world.finalize()
    return world


@pytest.mark.parametrize("rule", RULES)
def test_audit_reports_whom_the_rule_held_down(tmp_path: Path, rule: str) -> None:
    parameters, word = RULES[rule]
    world = played(tmp_path, rule, **parameters)
    memory = AuditMemory(tmp_path / "audits", afresh=False)
    (result,) = world.audit(memory=memory).rounds
    assert world.last is not None
    assert result.outcome == world.last.outcome
    held_down = result.outcome[word]
    assert isinstance(held_down, list)
    assert HOSTILE in held_down
    assert result.to_json()["outcome"] == world.last.outcome
    (recalled,) = world.audit(memory=memory).rounds
    assert recalled == result


@pytest.mark.parametrize("rule", TREATS_ALL_ALIKE)
def test_audit_reports_nobody_where_the_rule_treats_all_alike(tmp_path: Path, rule: str) -> None:
    (result,) = played(tmp_path, rule).audit().rounds
    assert result.outcome == {}
    assert outcome_text(result.outcome) == ""


def test_outcome_is_told_in_words_and_sites() -> None:
    outcome: dict[str, str | int | list[int]] = {
        "left_out": [3, 7], "clipped": [], "chosen": [1], "fallback": "median"
    }  # fmt: skip
    assert outcome_text(outcome) == "chosen 1; fallback median; left out 3, 7"
