"""The template of an impact assessment: whole as far as the plan goes, blank where it does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fednet.cli import main, plans
from fednet.domain.plan import Plan
from fednet.exports.assessment import BLANK, write_assessment
from fednet.exports.texts import code

RAW: dict[str, Any] = {
    "name": "pilot",
    "rounds": 3,
    "task": {"source": "digits", "digest": "ab" * 32},
    "model": {"commitment": "cd" * 32, "size_bytes": 100},
}
PRIVATE = {
    "mechanism": "dp-sgd", "clip_norm": 1, "noise_multiplier": "1.5", "epsilon": 3,
    "delta": "0.00001",
}  # fmt: skip
HOSTILE = "x:Y` | </td><script>alert(1)</script> [a](javascript:1) \u202e"


def plan(**sections: object) -> Plan:
    return Plan.validated({**RAW, **sections}, "plan")


def text(of: Plan) -> str:
    return write_assessment(of).decode()


def section(document: str, number: int) -> str:
    """Cut out what stands under a numbered heading."""
    return document.split(f"\n## {number}. ")[1].split("\n## ")[0]


def test_the_four_parts_of_the_article_stand_in_order() -> None:
    headings = re.findall(r"^## (.*)$", text(plan()), re.MULTILINE)
    letters = [re.search(r"35\(7\)\((.)\)", each) for each in headings]
    assert [found[1] for found in letters if found] == ["a", "b", "c", "d"]


def test_every_field_of_the_plan_stands_in_the_annex() -> None:
    made = plan(privacy=PRIVATE, update={"minimum_examples": 1000})
    annex = text(made).split("## Annex: the plan in full")[1]
    for name, value in made.model_dump().items():
        for inner, said in value.items() if isinstance(value, dict) else [("", value)]:
            field = f"{name}.{inner}" if inner else name
            (row,) = (line for line in annex.splitlines() if line.startswith(f"| {field} |"))
            if isinstance(said, str | int) and said != "":
                assert f"`{said}`" in row


def test_blanks_are_where_only_people_know() -> None:
    document = text(plan())
    for number, words in (
        (1, ("purposes", "whose data")),
        (2, ("legal basis", "are informed")),
        (3, ("likelihood, severity", "article 35(9)")),
        (4, ("airlock policy", "retention")),
        (5, ("article 36", "decision, name and date")),
    ):
        marked = [line for line in section(document, number).splitlines() if BLANK in line]
        for word in words:
            assert any(word in line for line in marked), word
    assert BLANK not in document.split("## Annex")[1]


def test_a_plan_without_privacy_says_so_and_leaves_the_risk_open() -> None:
    document = text(plan())
    assert "The plan bounds no epsilon" in section(document, 2)
    betrayed = section(document, 3).split("### 3.2")[0]
    assert "by the plan (open)" in betrayed
    assert "every member can read each single update" in betrayed


def test_a_plan_with_privacy_says_what_it_costs() -> None:
    made = plan(privacy=PRIVATE, update={"minimum_examples": 1000})
    document = text(made)
    told = section(document, 2)
    assert "epsilon 3 at delta 0.00001" in told
    costs = [float(each) for each in re.findall(r"([0-9.]+) with [0-9]+ examples", told)]
    assert len(costs) == 2
    assert costs[0] > costs[1] > 0
    assert "by the plan (met or bounded)" in section(document, 3).split("### 3.2")[0]
    assert "noise multiplier 1.5" in section(document, 4)


def test_risks_follow_the_plan() -> None:
    few = section(text(plan()), 3)
    many = section(
        text(plan(cohort={"minimum_sites": 5, "target_sites": 5, "minimum_updates": 5})), 3
    )
    for document, said in ((few, "open"), (many, "met or bounded")):
        part = document.split("### 3.3")[1].split("### 3.4")[0]
        assert f"by the plan ({said})" in part
    measured = text(plan(evaluation={"metric": "accuracy"}))
    assert "publishes `accuracy` of each model" in measured


def test_an_authors_words_stay_words() -> None:
    document = text(plan(task={"source": HOSTILE, "digest": "ab" * 32}))
    (row,) = (line for line in document.splitlines() if line.startswith("| task.source |"))
    assert row.count("|") == 3
    assert row.count("`") == 2
    assert "\u202e" not in document
    assert code("`") == "`'`"
    assert code("") == "` `"


def test_equal_plans_give_equal_bytes() -> None:
    assert write_assessment(plan()) == write_assessment(plan())
    assert write_assessment(plan()) != write_assessment(plan(rounds=4))


def test_command_writes_it_once(tmp_path: Path) -> None:
    source, target = tmp_path / "pilot.toml", tmp_path / "dpia.md"
    source.write_text(plans.to_toml(plan()), "utf-8")
    words = ["--home", str(tmp_path / "home"), "plan", "dpia", str(source)]
    printed = CliRunner().invoke(main, words)
    assert printed.exit_code == 0, printed.output
    assert printed.stdout == text(plan())
    written = CliRunner().invoke(main, [*words, "-o", str(target)])
    assert written.exit_code == 0, written.output
    assert target.read_text("utf-8") == text(plan())
    places = int(re.search(r"(\d+) places", written.stderr)[1])  # type: ignore[index]
    assert places == sum(line.count(BLANK) for line in text(plan()).splitlines()) - 1
    again = CliRunner().invoke(main, [*words, "-o", str(target)])
    assert again.exit_code == 2


@pytest.mark.parametrize("source", ["missing.toml", "0"])
def test_command_names_what_is_missing(tmp_path: Path, source: str) -> None:
    result = CliRunner().invoke(main, ["--home", str(tmp_path), "plan", "dpia", source])
    assert result.exit_code != 0
    assert "hint:" in result.stderr


def test_who_can_read_stored_updates_is_said_either_way() -> None:
    open_to_all = section(text(plan()), 4)
    assert "whoever gets hold of a stored update or model can read it" in open_to_all
    sealed = section(text(plan(privacy={"sealed": True})), 4)
    assert "encrypted for the members of each round" in sealed
    assert "whoever gets hold" not in sealed
