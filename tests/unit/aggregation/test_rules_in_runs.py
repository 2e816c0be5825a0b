"""Rules within a run: the plan names one, a liar takes part, the audit recomputes it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks._arena import Fight, Memory, last, play
from benchmarks.robustness import DEADLY, MEANS, TRAINING
from benchmarks.robustness import RULES as FIGHTING
from fednet.aggregation import RULES
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.sections import AggregationSection
from fednet.errors import PlanError
from fednet.explorer import Window, create_app
from fednet.provenance import IndexedBlock, LedgerIndex
from tests.unit.audit.world import World, work_of
from tests.unit.explorer.visiting import Visitor

SITES = 7
SECTIONS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fednova": {},
    "median": {"hostile": 1},
    "trimmed-mean": {"hostile": 1},
    "krum": {"hostile": 1},
    "multi-krum": {"hostile": 1, "keep": 3},
    "bulyan": {"hostile": 1},
    "geometric-median": {"hostile": 1},
    "norm-bounding": {"norm": 2},
    "centred-clipping": {"hostile": 1, "norm": 2, "iterations": 2},
}


def world_of(folder: Path, rule: str) -> World:
    section = {"rule": rule, "fallback": "median"} | SECTIONS[rule]

    class Ruled(World):
        sections = {"aggregation": AggregationSection.model_validate(section)}  # noqa: RUF012

    return Ruled(folder, sites=SITES, rounds=2)


def collect(world: World, sites: Any, hostile: Any = None) -> None:
    """Submit what is much alike; the last site sends something else."""
    common = work_of(99, 1)
    for site in sites:
        own = work_of(site, world.place.round)
        arrays = {name: common[name] + own[name] / 8 for name in common}
        if site == SITES and hostile is not None:
            arrays = {name: np.full_like(array, hostile) for name, array in arrays.items()}
        world.submit(site, arrays=arrays, steps=3)
    world.close()


def settle(world: World, lie: Any = None) -> RoundRecord:
    world.propose(lie=lie)
    world.attest(*world.sites)
    world.finalize()
    assert world.last is not None
    return world.last


def test_sections_cover_every_rule() -> None:
    assert SECTIONS.keys() == RULES.keys()
    assert {section.rule for section in FIGHTING} == RULES.keys()


@pytest.mark.parametrize("rule", sorted(RULES))
def test_audit_verifies_a_run_under_every_rule(rule: str, tmp_path: Path) -> None:
    world = world_of(tmp_path, rule)
    collect(world, world.sites, hostile=50.0)
    outcome = settle(world).outcome
    collect(world, world.sites, hostile=np.nan)
    record = settle(world)
    assert record.updates[-1].reason == "not-finite"
    report = world.audit()
    assert report.findings == ()
    assert [entry.verdict for entry in report.rounds] == ["verified", "verified"]
    if rule in ("krum", "multi-krum"):
        assert SITES in outcome["left_out"]  # type: ignore[operator]
    if "norm" in SECTIONS[rule]:
        assert SITES in outcome["clipped"]  # type: ignore[operator]
    if rule == "geometric-median":
        assert outcome["weakened"] == [SITES]
    # With the refused update six remain, which are too few for Bulyan.
    assert (record.outcome.get("fallback") == "median") == (rule == "bulyan")


def test_a_round_with_too_few_updates_falls_back_as_the_plan_says(tmp_path: Path) -> None:
    world = world_of(tmp_path, "krum")
    collect(world, world.sites[:4])
    assert settle(world).outcome == {"fallback": "median"}


def test_a_record_that_leaves_out_another_site_is_found(tmp_path: Path) -> None:
    world = world_of(tmp_path, "krum")
    collect(world, world.sites, hostile=50.0)
    settle(world, lambda record: record.model_copy(update={"outcome": {"left_out": [1]}}))
    found = [each for each in world.audit().findings if "outcome" in str(each)]
    assert found
    assert {each.accused for each in found} == {2}


def test_the_explorer_shows_whom_a_rule_left_out(tmp_path: Path) -> None:
    world = world_of(tmp_path, "multi-krum")
    collect(world, world.sites, hostile=50.0)
    chosen = settle(world).outcome["chosen"]
    events = sorted([*world.events_seen, *world.logged], key=lambda each: each.log.block)
    heads = world.blocks([each.log.block for each in events])
    reader: Any = world
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", world.deployment)) as index:
        index.ingest(IndexedBlock(head, [event]) for head, event in zip(heads, events, strict=True))
        with Visitor(create_app(Window(reader, world.store, index, 1.0))) as visitor:
            text = visitor.get("/runs/1/rounds/1").text
    shown = text[text.index(">chosen<") : text.index(">left out<")]
    assert [site for site in range(1, SITES + 1) if f'href="/sites/{site}"' in shown] == chosen
    assert f'href="/sites/{SITES}"' in text[text.index(">left out<") :].partition("</dd>")[0]


@pytest.mark.parametrize(
    ("rule", "section", "cohort", "said"),
    [
        ("krum", "hostile = 2", "maximum_sites = 6", "rules out"),
        ("bulyan", "hostile = 1", "minimum_updates = 6", "needs 7 updates"),
        ("trimmed-mean", "hostile = 2", "minimum_updates = 4", "needs 5 updates"),
        ("median", "hostile = 2", "minimum_updates = 4", "needs 5 updates"),
        ("multi-krum", "hostile = 1\nkeep = 8", "maximum_sites = 10\nminimum_updates = 5", "keep"),
        ("krum", "keep = 1", "minimum_updates = 3", "multi-krum only"),
        ("norm-bounding", "norm = 1\nhostile = 1", "", "hostile must be 0"),
        ("norm-bounding", "", "", "radius"),
    ],
)
def test_impossible_parameters_are_refused_with_the_plan(
    rule: str, section: str, cohort: str, said: str
) -> None:
    text = f"""
name = "trial"
rounds = 3
[task]
source = "digits"
digest = "{"0" * 64}"
[model]
commitment = "{"1" * 64}"
size_bytes = 1000
[cohort]
{cohort}
[aggregation]
rule = "{rule}"
{section}
"""
    with pytest.raises(PlanError) as caught:
        Plan.from_toml(text)
    assert said in str(caught.value)


def test_every_rule_in_a_slice_of_the_table() -> None:
    memory: Memory = {}

    def fought(section: AggregationSection, attack: str) -> float:
        return last(play(Fight(section, attack, 0.0, 0, 1, TRAINING), memory))

    for section in FIGHTING:
        undisturbed = fought(section, "none")
        assert undisturbed > 0.6
        for attack in ("claims", "nan"):
            assert fought(section, attack) > undisturbed - 0.1, (section.rule, attack)
        for attack in DEADLY:
            accuracy = fought(section, attack)
            survives = accuracy > undisturbed - 0.2
            assert survives is (section.rule not in MEANS), (section.rule, attack)
            assert survives or accuracy < 0.2, (section.rule, attack)


@pytest.mark.full
@pytest.mark.parametrize("rule", sorted(set(RULES) - {"fedavg", "fednova"}))
@pytest.mark.parametrize("attack", ["sign-flip-10", "constant"])
def test_robust_rules_keep_their_accuracy(rule: str, attack: str) -> None:
    section = next(each for each in FIGHTING if each.rule == rule)
    fight = Fight(section, attack, 0.0, 0, 15, TRAINING)
    assert last(play(fight)) >= (0.85 if rule == "krum" else 0.89)
    assert last(play(replace(fight, attack="nan", rounds=10))) >= 0.85
